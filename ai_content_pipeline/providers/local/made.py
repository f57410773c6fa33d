"""What passes between a model and whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.providers.local.machine import Offload

if TYPE_CHECKING:
    from PIL.Image import Image

#: Told after each denoising step, of how many; raises to stop.
Watch = Callable[[int, int], None]


class Stopped(AicpError):
    """Nobody wants it any more."""

    code = "stopped"


@dataclass(frozen=True)
class Made:
    """`pictures` are stills, or the frames of one clip at `fps`. `facts` are the values that were used."""

    pictures: Sequence[Image]
    facts: Mapping[str, Json]
    notes: tuple[str, ...] = ()
    fps: int | None = None


class Work(Protocol):
    """A job with its pictures read and its values decided. `alike` jobs may share one pass."""

    @property
    def alike(self) -> object: ...

    @property
    def outputs(self) -> int: ...

    @property
    def facts(self) -> Mapping[str, Json]:
        """The values that are used."""
        ...

    @property
    def copy(self) -> Made | None:
        """The result, where no model is needed for it."""
        ...


class Resident(Protocol):
    """A model in memory. One thread at a time."""

    @property
    def offload(self) -> Offload: ...

    def make(self, works: Sequence[Any], watch: Watch) -> list[Made]:
        """One pass over jobs that are alike."""
        ...

    def lower(self) -> bool:
        """Use less of the GPU's memory from now on; False where it cannot be less."""
        ...


@dataclass(frozen=True)
class Frames(Sequence["Image"]):
    """The pictures of a batch, kept as one array of bytes (n, height, width, 3) and shown one by one."""

    array: Any
    start: int = 0
    stop: int = field(default=-1)

    def __len__(self) -> int:
        return (self.stop if self.stop >= 0 else len(self.array)) - self.start

    def __getitem__(self, index: Any) -> Any:
        from PIL import Image

        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return Image.fromarray(self.array[self.start + index % len(self)])

    def __iter__(self) -> Iterator[Image]:
        return (self[number] for number in range(len(self)))


def told_by(watch: Watch, steps: int) -> Callable[..., dict[str, Any]]:
    """A pipeline's callback that tells `watch` of every step."""

    def told(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        watch(step + 1, steps)
        return tensors

    return told


def bytes_of(tensor: Any) -> Any:
    """Colours 0..1 of shape (…, 3, height, width) as rounded bytes (…, height, width, 3), still on the GPU
    until they are bytes: a quarter of what would have to be copied."""
    import torch

    return tensor.mul(255).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).contiguous().cpu().numpy()
