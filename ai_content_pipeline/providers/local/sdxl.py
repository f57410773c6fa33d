"""Stable Diffusion XL: pictures from words and from pictures, several in one pass, with IP-Adapter."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import Json, Task
from ai_content_pipeline.providers.local import fitting
from ai_content_pipeline.providers.local.asked import IMAGE_DENOISE, Asked, Profile
from ai_content_pipeline.providers.local.fitting import Locate, Size
from ai_content_pipeline.providers.local.loading import load_adapter, load_sdxl
from ai_content_pipeline.providers.local.machine import Machine, Offload, spread
from ai_content_pipeline.providers.local.made import Frames, Made, Watch, bytes_of, told_by
from ai_content_pipeline.providers.local.strength import Denoising, copying, modifying

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS: Mapping[Profile, int] = {"quality": 40, "balanced": 25, "fast": 15}
GUIDANCE = 7.5
_ENCODED = 64  # sets of reference pictures whose encoding is remembered
_TASKS = (Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE)


@dataclass(frozen=True)
class Drawing:
    """One job: `size` is what comes out, `canvas` what is drawn, of whole blocks."""

    asked: Asked
    size: Size
    canvas: Size
    guidance: float
    steps: Denoising
    source: Image | None
    references: tuple[Image, ...]

    @property
    def outputs(self) -> int:
        return self.asked.outputs

    @cached_property
    def negative(self) -> str | None:
        return None if self.asked.exact_copy else self.asked.negative

    @property
    def subject(self) -> tuple[str, ...]:
        """What the reference pictures are, by content."""
        return self.asked.files.get(Role.REFERENCE, ())

    @property
    def alike(self) -> object:
        asked = self.asked
        how = (self.canvas, self.guidance, self.steps, self.source is None, self.negative is None)
        return (asked.profile, *how, self.subject, asked.reference_scale if self.subject else None)

    @property
    def copy(self) -> Made | None:
        if self.source is None or self.steps.run:
            return None
        return Made([self.source] * self.outputs, self.facts, self.notes)

    @property
    def facts(self) -> dict[str, Json]:
        width, height = self.size
        facts: dict[str, Json] = {
            "width": width,
            "height": height,
            "seed": self.asked.seed,
            "steps": self.steps.steps,
            "steps_run": self.steps.run,
            "guidance_scale": self.guidance,
            "profile": self.asked.profile,
        }
        if self.source is not None:
            facts["denoise_strength"] = self.steps.strength
        return facts

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the values that were used."""
        steps, found = self.steps, list[str]()
        if self.asked.outdated:
            found.append(
                f"reference_strength is deprecated: write 'denoise_strength: {self.asked.denoise:g}'"
            )
        if self.source is not None:
            found.append(f"denoise_strength {steps.strength:g}: {steps.run} of {steps.steps} steps were run")
        return tuple(found)


def prepare(asked: Asked, folder: Path, locate: Locate) -> Drawing:
    """Read a job's pictures and decide its values.

    Raises:
        BadMedia: a picture cannot be used.
        UsageError: SDXL does not do this.
    """
    if asked.task not in _TASKS:
        raise UsageError(f"{asked.model} makes pictures, not {asked.task.value}")
    references = tuple(fitting.picture(locate, one) for one in asked.files.get(Role.REFERENCE, ()))
    for one in references:
        fitting.check_shape(one)
    given = asked.files.get(Role.INPUT, ())
    if asked.task is Task.IMAGE_TO_IMAGE and not given:
        raise UsageError(f"{asked.model} has no picture to change")
    usual = STEPS[asked.profile] if asked.steps is None else asked.steps
    guidance = GUIDANCE if asked.guidance is None else asked.guidance
    if asked.task is Task.TEXT_TO_IMAGE:
        size = asked.size or _square(folder)
        steps = Denoising(1.0, usual, usual, usual)
        return Drawing(asked, size, fitting.covering(size), guidance, steps, None, references)
    return _change(asked, folder, fitting.picture(locate, given[0]), references, usual, guidance)


def _change(
    asked: Asked, folder: Path, picture: Image, references: tuple[Image, ...], usual: int, guidance: float
) -> Drawing:
    strength = IMAGE_DENOISE if asked.denoise is None else asked.denoise
    steps = copying(strength, asked.steps) if asked.exact_copy else modifying(strength, usual)
    guidance = 1.0 if asked.exact_copy else guidance
    if not steps.run:
        size = asked.size or picture.size
        kept = picture if asked.size is None else fitting.cropped(picture, size)
        return Drawing(asked, size, size, guidance, steps, kept, references)
    fitting.check_shape(picture)
    width, height = _square(folder)
    size = asked.size or fitting.size_like(picture, width * height)
    canvas = fitting.covering(size)
    return Drawing(asked, size, canvas, guidance, steps, fitting.cropped(picture, canvas), references)


def _square(folder: Path) -> Size:
    """The size that the folder's own model was trained at."""
    unet = json.loads((folder / "unet/config.json").read_text(encoding="utf-8"))
    vae = json.loads((folder / "vae/config.json").read_text(encoding="utf-8"))
    side = int(unet["sample_size"]) * 2 ** (len(vae["block_out_channels"]) - 1)
    return side, side


@dataclass
class Sdxl:
    """SDXL in memory. Reference pictures are encoded once for all scenes that show them."""

    folder: Path
    machine: Machine
    offload: Offload
    _adapted: bool = False
    _encoded: OrderedDict[tuple[str, ...], Any] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.words, self.pictures = load_sdxl(self.folder, self.machine)
        self._spread()

    def make(self, works: Sequence[Drawing], watch: Watch) -> list[Made]:
        import torch

        first = works[0]
        draws = [(work, number) for work in works for number in range(work.outputs)]
        seeds = [work.asked.seed + number for work, number in draws]
        how: dict[str, Any] = {
            "prompt": [work.asked.prompt for work, _ in draws],
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "guidance_scale": first.guidance,
            "num_inference_steps": first.steps.scheduled,
            "output_type": "pt",
            "callback_on_step_end": told_by(watch, first.steps.run),
        }
        if first.negative is not None:
            how["negative_prompt"] = [work.negative or "" for work, _ in draws]
        how |= self._references(first)
        if first.source is None:
            how["width"], how["height"] = first.canvas
            tensor = self.words(**how).images
        else:
            how |= {"image": [work.source for work, _ in draws], "strength": first.steps.strength}
            tensor = self.pictures(**how).images
            self.words.maybe_free_model_hooks()
        return self._shared_out(works, bytes_of(tensor))

    def lower(self) -> bool:
        if self.offload is Offload.GROUP:
            return False
        self.offload = Offload(self.offload + 1)
        self._spread()
        return True

    def _spread(self) -> None:
        spread(self.words, self.machine, self.offload)
        if self.offload is not Offload.NONE:
            self.words.vae.enable_slicing()
            self.words.vae.enable_tiling()

    def _references(self, work: Drawing) -> dict[str, Any]:
        """IP-Adapter's part of a pass. Once it is loaded, passes without a subject need its zero."""
        if work.subject:
            self._adapt()
            embeddings = self._embeddings(work)
            self.words.set_ip_adapter_scale(work.asked.reference_scale)
        elif self._adapted:
            import torch

            embeddings = torch.zeros_like(next(iter(self._encoded.values()))[:, :1])
            self.words.set_ip_adapter_scale(0.0)
        else:
            return {}
        guided = work.guidance > 1
        return {"ip_adapter_image_embeds": [embeddings if guided else embeddings.chunk(2)[1]]}

    def _adapt(self) -> None:
        if not self._adapted:
            load_adapter(self.words, self.folder)
            self._spread()
            self._adapted = True

    def _embeddings(self, work: Drawing) -> Any:
        """Negative and positive embeddings of a subject, one after the other, from memory where it can be."""
        if work.subject not in self._encoded:
            (found,) = self.words.prepare_ip_adapter_image_embeds(
                ip_adapter_image=[list(work.references)],
                ip_adapter_image_embeds=None,
                device=self.words._execution_device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=True,
            )
            self._encoded[work.subject] = found
            if len(self._encoded) > _ENCODED:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(work.subject)
        return self._encoded[work.subject]

    def _shared_out(self, works: Sequence[Drawing], array: Any) -> list[Made]:
        found, start = list[Made](), 0
        for work in works:
            frames = Frames(array, start, start + work.outputs)
            pictures = [fitting.middle(picture, work.size) for picture in frames]
            found.append(Made(pictures, work.facts, (*work.notes, *self._unread(work))))
            start += work.outputs
        return found

    def _unread(self, work: Drawing) -> list[str]:
        """CLIP reads the first tokens of a prompt; the rest says nothing to it."""
        tokenizer = self.words.tokenizer
        most = int(tokenizer.model_max_length)
        count = len(tokenizer(work.asked.prompt, truncation=False, verbose=False).input_ids)
        return [f"SDXL reads {most} tokens of a prompt, and this one has {count}"] if count > most else []
