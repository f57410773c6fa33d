"""Files as the pipeline knows them: what exists (`Artifact`) and what is promised (`Pending`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"


class Role(StrEnum):
    """What an input file is for. Steps name roles; a vendor's file knows its own field names."""

    INPUT = "input"  # the picture or clip that is worked on
    START = "start"  # first frame of a video
    END = "end"  # last frame of a video
    REFERENCE = "reference"  # whose subject or style the result keeps
    MASK = "mask"


class Route(StrEnum):
    """How a reference reaches the model that is to keep it, the surest way first."""

    SERVER = "server"  # the vendor's model takes the pictures
    EMBEDDINGS = "embeddings"  # a model here encodes them once for all its items
    KEYFRAME = "keyframe"  # a still is made with them first, and the clip from that still
    PROMPT = "prompt"  # words alone: the description stands in the prompt


class Frame(StrEnum):
    """A still taken out of a video."""

    FIRST = "first_frame"
    LAST = "last_frame"


#: File suffix by media type: every type the pipeline stores.
SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
}


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What decoding a file showed. Sizes in pixels as displayed (EXIF orientation applied)."""

    kind: Kind
    media_type: str
    width: int
    height: int
    seconds: float | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that exists, by content. `size` in bytes, `sha256` as hex."""

    sha256: str
    size: int
    info: MediaInfo

    @property
    def kind(self) -> Kind:
        return self.info.kind

    @property
    def suffix(self) -> str:
        return SUFFIXES[self.info.media_type]


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that an item of this pipeline will make, and what is known of it before.

    `address` is the item's (``clips/scene_2``); `frame` asks for a still of that item's video.
    Unknown sizes are None. `kind` is the kind after the frame was taken.
    """

    address: str
    kind: Kind
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    frame: Frame | None = None


Source = Artifact | Pending
