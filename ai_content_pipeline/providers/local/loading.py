"""From a folder of weights to pipelines in memory. The only place that imports diffusers' classes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.providers.local import speed, weights
from ai_content_pipeline.providers.local.asked import Profile
from ai_content_pipeline.providers.local.machine import Machine, Offload

_HINT = "download the model again, or look at its files"


def quiet() -> None:
    """Keep the libraries' bars and advice off the terminal, before they are imported in earnest."""
    logging.getLogger("torch").setLevel(logging.ERROR)
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()


def load_sdxl(folder: Path, machine: Machine) -> tuple[Any, Any]:
    """Text-to-image and image-to-image over one set of weights.

    Raises:
        ConfigurationError: the folder does not hold them whole.
    """
    quiet()
    import torch
    from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

    half = any((folder / "unet").glob("*.fp16.safetensors"))
    # float16, in which diffusers knows to decode SDXL's pictures in float32; bfloat16 it would not.
    dtype = torch.float32 if machine.device == "cpu" else torch.float16
    variant = {"variant": "fp16"} if half else {}
    words = _built(StableDiffusionXLPipeline, folder, dtype=dtype, add_watermarker=False, **variant)
    parts = {**words.components, "scheduler": type(words.scheduler).from_config(words.scheduler.config)}
    pictures = StableDiffusionXLImg2ImgPipeline(**parts, add_watermarker=False)
    for pipeline in (words, pictures):
        pipeline.set_progress_bar_config(disable=True)
    return words, pictures


def load_adapter(pipeline: Any, folder: Path) -> None:
    """IP-Adapter and the encoder of its pictures, into a pipeline that is loaded.

    Raises:
        ConfigurationError: they are missing or damaged.
    """
    where = folder / weights.ADAPTER
    files = sorted(where.glob("*.safetensors")) if where.is_dir() else []
    encoder = sorted((where / "image_encoder").glob("*.safetensors")) if where.is_dir() else []
    if not files or not encoder:
        raise weights.missing(folder.parent, folder.name, "IP-Adapter")
    for file in (*files, *encoder):
        weights.check_header(file)
    try:
        pipeline.load_ip_adapter(
            str(where),
            subfolder="",
            weight_name=files[0].name,
            image_encoder_folder="image_encoder",
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(where, error) from error


def load_wan(folder: Path, family: str, machine: Machine, profile: Profile, offload: Offload) -> Any:
    """The Wan pipeline that a folder describes, as `profile` runs it on a GPU with room for `offload`.

    Raises:
        ConfigurationError: the folder does not hold it whole.
    """
    quiet()
    import torch
    from diffusers import WanImageToVideoPipeline, WanPipeline, WanVACEPipeline

    classes = {"wan_t2v": WanPipeline, "wan_vace": WanVACEPipeline}
    exact, half = torch.float32, torch.bfloat16
    dtypes = exact if machine.device == "cpu" else {"vae": exact, "image_encoder": exact, "default": half}
    pipeline = _built(classes.get(family, WanImageToVideoPipeline), folder, dtype=dtypes)
    pipeline.set_progress_bar_config(disable=True)
    if profile == "fast" and speed.has_few_steps(folder):
        _adapt_few_steps(pipeline, folder)
    if speed.shrinks(profile, offload):
        speed.shrink(pipeline.transformer)
    if machine.device == "cuda":
        speed.hasten(pipeline.transformer, profile, offload)
    return pipeline


def _adapt_few_steps(pipeline: Any, folder: Path) -> None:
    weights.check_header(folder / weights.LORA)
    try:
        speed.few_steps(pipeline, folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(folder / weights.LORA, error) from error


def _built(kind: Any, folder: Path, **how: Any) -> Any:
    try:
        return kind.from_pretrained(str(folder), local_files_only=True, use_safetensors=True, **how)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from error
    except RuntimeError as error:  # tensors of other shapes than the configuration says; but not memory
        if "out of memory" in str(error).lower():
            raise
        raise _unreadable(folder, error) from error


def _unreadable(where: Path, error: Exception) -> ConfigurationError:
    lines = str(error).strip().splitlines()
    return ConfigurationError(f"{where} cannot be loaded: {lines[0][:300] if lines else error}", hint=_HINT)
