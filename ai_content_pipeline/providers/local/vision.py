"""What a picture shows, as a vector: the vision tower that lies beside SDXL as part of IP-Adapter.

One tower and no other, whose weights are pinned by the model's card, in 32 bits: so scores mean the same on
every machine. It is loaded when the first picture is to be looked at; then the GPU holds already what makes
the pictures, and so it is known whether there is room beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.providers.local import weights
from ai_content_pipeline.providers.local.loading import quiet
from ai_content_pipeline.providers.local.machine import Machine

if TYPE_CHECKING:
    from PIL.Image import Image

#: The local model beside whose weights the tower lies.
KEY = "sdxl"
_PART = "IP-Adapter"
_ROOM_GB = 4.0  # of the GPU's free memory: 2.5 for the weights, the rest to work in


def find(environ: Mapping[str, str]) -> Path:
    """The tower's folder, which is there and may be read. torch is not imported.

    Raises:
        ConfigurationError: it is missing or damaged; the hint gets it.
    """
    models = weights.folder_of(environ)
    folder = models / KEY / weights.ADAPTER / "image_encoder"
    files = sorted(folder.glob("*.safetensors"))
    if not files or not (folder / "config.json").is_file():
        raise weights.missing(models, KEY, _PART)
    for file in files:
        weights.check_header(file)
    return folder


def device_for(machine: Machine) -> str:
    """Where the tower works: on the GPU if there is room."""
    free = machine.free_gb()
    return machine.device if free is not None and free >= _ROOM_GB else "cpu"


class VisionTower:
    """The tower in memory. Thread-safe."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        """Raises ConfigurationError where the folder does not hold it whole."""
        quiet()
        import torch
        from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

        try:
            self._model: Any = CLIPVisionModelWithProjection.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            lines = str(error).strip().splitlines()
            raise ConfigurationError(
                f"{folder} cannot be loaded: {lines[0][:300] if lines else error}",
                hint=f"aicp models pull {KEY}",
            ) from error
        self._device = torch.device(device_for(machine))
        self._model.eval().to(self._device)
        side = int(self._model.config.image_size)
        self._processor: Any = CLIPImageProcessorPil(size=side, crop_size=side)

    def vector(self, picture: Image) -> tuple[float, ...]:
        """Where an RGB picture lies, as a vector of length 1; its middle is seen, as in training."""
        import torch

        pixels = self._processor(images=picture, return_tensors="pt").pixel_values
        with torch.inference_mode():
            found = self._model(pixel_values=pixels.to(self._device)).image_embeds[0]
        return tuple(torch.nn.functional.normalize(found, dim=0).tolist())
