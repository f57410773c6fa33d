"""The device that models run on, and how a model that is larger than it is spread out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ai_content_pipeline.errors import ConfigurationError

_GB = 1e9
_DEVICES = ("cuda", "mps", "cpu")


class Offload(IntEnum):
    """Where a model's weights wait. Each further one needs less of the GPU's memory and more time."""

    NONE = 0  # all on the GPU
    MODEL = 1  # one part (text encoder, transformer, autoencoder) at a time
    GROUP = 2  # one block of a part at a time


@dataclass(frozen=True, slots=True)
class Machine:
    """`memory_gb` is the GPU's, None where that is the machine's own. `offload` None: as memory allows."""

    device: str
    name: str
    memory_gb: float | None = None
    offload: Offload | None = None

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> Machine:
        """``AICP_DIFFUSERS_DEVICE`` and ``AICP_DIFFUSERS_OFFLOAD`` decide where they are set.

        Raises:
            ConfigurationError: they name nothing that there is.
        """
        import torch

        asked = environ.get("AICP_DIFFUSERS_DEVICE", "").strip()
        if asked and asked not in _DEVICES:
            raise ConfigurationError(
                f"AICP_DIFFUSERS_DEVICE is {asked!r}", hint=f"one of {', '.join(_DEVICES)}"
            )
        there = {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu": True,
        }
        device = asked or next(name for name in _DEVICES if there[name])
        if not there[device]:
            raise ConfigurationError(f"AICP_DIFFUSERS_DEVICE is {device}, which is not there")
        if device != "cuda":
            return cls(device, device, None, _offload(environ))
        facts = torch.cuda.get_device_properties(0)
        return cls(device, str(facts.name), facts.total_memory / _GB, _offload(environ))

    def offload_for(self, whole_gb: float, parts_gb: float) -> Offload:
        """How a model has to be spread that needs `whole_gb`, or `parts_gb` one part at a time."""
        if self.offload is not None:
            return self.offload
        if self.memory_gb is None or self.memory_gb >= whole_gb:
            return Offload.NONE
        return Offload.MODEL if self.memory_gb >= parts_gb else Offload.GROUP

    def free_gb(self) -> float | None:
        """What the GPU has left; None where nobody can say."""
        if self.device != "cuda":
            return None
        import torch

        return float(torch.cuda.mem_get_info()[0] / _GB)

    def tidy(self) -> None:
        """Give back what nothing refers to any more."""
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and self.device == "cuda":
            torch.cuda.empty_cache()


def spread(pipeline: Any, machine: Machine, offload: Offload) -> None:
    """Put a pipeline's parts where `offload` says. May be called again with a further one."""
    import torch

    device = torch.device(machine.device)
    pipeline.remove_all_hooks()
    if offload is Offload.NONE:
        pipeline.to(device)
    elif offload is Offload.MODEL:
        pipeline.enable_model_cpu_offload(device=device)
    else:
        streams = machine.device == "cuda"
        pipeline.to("cpu")
        pipeline.enable_group_offload(
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=streams,
            # Small, and SDXL's is widened to 32 bits for a decode: what a stream brings in would not be.
            exclude_modules="vae",
        )


def _offload(environ: Mapping[str, str]) -> Offload | None:
    word = environ.get("AICP_DIFFUSERS_OFFLOAD", "").strip().lower()
    if word in ("", "auto"):
        return None
    known = {mode.name.lower(): mode for mode in Offload}
    if word not in known:
        raise ConfigurationError(
            f"AICP_DIFFUSERS_OFFLOAD is {word!r}", hint=f"one of auto, {', '.join(known)}"
        )
    return known[word]
