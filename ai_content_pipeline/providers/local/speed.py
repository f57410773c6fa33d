"""What a profile does to a Wan model in memory: fewer steps, weights in 8 bits, another attention, compiled
blocks. Each works alone; together only some do, which is why `compiles` decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_content_pipeline.providers.local import weights
from ai_content_pipeline.providers.local.asked import Profile
from ai_content_pipeline.providers.local.machine import Offload

#: Few-step LoRAs are trained for these noise levels: the shift that gives them.
_FEW_STEP_SHIFT = 5.0


def has_few_steps(folder: Path) -> bool:
    """Whether a few-step LoRA lies beside the weights."""
    return (folder / weights.LORA).is_file()


def few_steps(pipeline: Any, folder: Path) -> None:
    """The few-step LoRA, part of the weights from now on, and the noise levels that it knows."""
    pipeline.load_lora_weights(str(folder), weight_name=weights.LORA, local_files_only=True)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    scheduler = pipeline.scheduler
    pipeline.scheduler = type(scheduler).from_config(scheduler.config, flow_shift=_FEW_STEP_SHIFT)


def shrinks(profile: Profile, offload: Offload) -> bool:
    """Whether the transformer waits in 8 bits: where speed is wanted and memory is short."""
    return profile == "fast" and offload is not Offload.NONE


def shrink(transformer: Any) -> None:
    """Keep the weights in 8 bits between two uses; the arithmetic stays as it is."""
    import torch

    transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=transformer.dtype)


def compiles(profile: Profile, offload: Offload) -> bool:
    """Whether blocks are compiled. Not where single layers are cast or moved while a block runs: that cannot
    be part of one graph, and every clip would fail."""
    moved = offload is Offload.GROUP or shrinks(profile, offload)
    return profile != "quality" and not moved


def hasten(transformer: Any, profile: Profile, offload: Offload) -> None:
    """On a GPU: cuDNN's attention, and one compiled block for all (half a minute, once).

    The attention is named for every profile: diffusers would else use what the model before was given.
    """
    transformer.set_attention_backend("native" if profile == "quality" else "_native_cudnn")
    if compiles(profile, offload):
        transformer.compile_repeated_blocks(fullgraph=True)
