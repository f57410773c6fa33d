"""The catalogue's nouns: a model, its parameters, where it takes files, the shape of what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.prices import Price
from ai_content_pipeline.jobs import Json, Task


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a model's schema that the user may set.

    `type` is string, integer, number, boolean, array, object, or any where the schema does not say.
    With `enum`, only those values are accepted, and any object besides when the type is object.
    `default` is the vendor's, and is never sent. A deprecated field is accepted by the vendor and ignored.
    """

    type: str
    enum: tuple[Json, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: Json = None
    deprecated: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RoleField:
    """The field that takes the files of one role.

    Two roles may share a field that takes many: their files go into one list, INPUT before REFERENCE, and
    `max_items` bounds the list. `min_side` is in pixels. `takes` is the kind of file it wants; with
    `either`, pictures and videos alike.

    The rest is of references. `kind`: files are sent as they are; of elements each subject is one, with
    all its pictures; embeddings are made of the files once, by a model here. `mention` is how a prompt
    names the n-th picture (or element), as in ``@Image{n}``; `tags` the parameter that lists those names;
    `strength` the one that says how strongly the pictures count. `only_with` are the values that other
    parameters must have where files are sent.
    """

    name: str
    many: bool = False
    required: bool = False
    max_items: int | None = None
    min_side: int | None = None
    excludes: tuple[Role, ...] = ()
    takes: Kind = Kind.IMAGE
    either: bool = False
    kind: str = "files"
    mention: str | None = None
    tags: str | None = None
    strength: str | None = None
    only_with: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)

    def accepts(self, kind: Kind) -> bool:
        return self.either or kind is self.takes


@dataclass(frozen=True, slots=True)
class Shape:
    """What an output looks like where no parameter says it. Sizes in pixels, lengths in seconds.

    `sizes` names a table or a rule of `sizes.py`. The resolution is a label such as ``1K`` or ``720p``:
    the value of the parameter `resolution_from`, renamed by `labels`, else `resolution`. With
    `follow_input` a given picture decides the aspect ratio, whatever the parameter says. `scale` is the
    parameter that holds an upscaler's factor.
    """

    sizes: str | None = None
    resolution: str | None = None
    resolution_from: str = "resolution"
    labels: Mapping[str, str] = field(default_factory=dict)
    aspect: str | None = None
    follow_input: bool = False
    seconds: float | None = None
    fps: float | None = None
    scale: str | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights as they are published: `files` (patterns) of a repository at one commit.

    They go into `folder` below the model's own, their paths renamed by the prefixes in `places`.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    folder: str = ""
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Local:
    """What a model needs that runs on this machine. Sizes in GB (10^9 bytes), areas in pixels.

    `vram_gb` is for everything on the GPU at once, `vram_offload_gb` for one part of the model at a time;
    both are counted from the weights, with what the makers publish for the rest. `max_batch` is how many
    requests one pass may serve.
    """

    family: str
    license: str
    area: int
    max_batch: int
    download_gb: float
    vram_gb: float
    vram_offload_gb: float
    weights: tuple[Weights, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything known of one model.

    `parameters` None: its schema is unknown, and so nothing is checked. `prompt`, `seed` and `count` are
    the vendor's names of those fields, None where the model has none; the house fills the first two and
    the fields of `roles`, so they are no parameters. `seconds` is how long a job usually takes.
    `version` grows with every correction of the card. `fill` are the parameters that the request of a
    stand-in starts from.
    """

    key: str
    title: str
    provider: str
    endpoint: str
    tasks: tuple[Task, ...]
    parameters: Mapping[str, Parameter] | None = None
    roles: Mapping[Role, RoleField] = field(default_factory=dict)
    prompt: str | None = "prompt"
    prompt_required: bool = True
    seed: str | None = None
    count: str | None = None
    price: Price | None = None
    seconds: float | None = None
    status: str = "active"  # or deprecated: it may stop answering any day
    version: int = 1
    source: str = ""
    note: str | None = None
    output: Shape = field(default_factory=Shape)
    fill: Mapping[str, Json] = field(default_factory=dict)
    local: Local | None = None  # where the model runs on this machine
    described: bool = True  # False: neither we nor its vendor's schema know anything of it

    def value(self, params: Mapping[str, Json], name: str) -> Json:
        """What the model will use for `name`: the value that is sent, else the vendor's default."""
        if name in params:
            return params[name]
        known = (self.parameters or {}).get(name)
        return known.default if known else None
