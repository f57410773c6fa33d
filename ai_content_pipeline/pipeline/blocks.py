"""Blocks of values for several steps, as ``defaults:`` and profiles hold them, and how they are laid over
one another: as nodes of the file, before anything is typed, so that every value keeps its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ai_content_pipeline.pipeline.nodes import Entry, MappingNode
from ai_content_pipeline.pipeline.source import Path, SourceFile
from ai_content_pipeline.steps.registry import STEP_TYPES

#: What a profile may say of the top of the file.
TOP_KEYS = frozenset(
    ("description", "prompt", "output_dir", "save_intermediates", "seed", "max_cost", "input_image",
     "input_video")
)  # fmt: skip

#: What only a step can say of itself.
OWN_KEYS = ("name", "type")

#: The values that are merged key by key. Any other is replaced as a whole.
_MERGED = ("params", "model_params")

#: Parameters that say one thing in several ways: who states one of them takes none of them from below.
_GRID = frozenset(("grid", "rows", "cols"))
_STRATEGY = frozenset(("strategy", "parallel", "batch_size"))
_INSTEAD: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_GRID, _GRID),
    **dict.fromkeys(("strategy", "parallel"), _STRATEGY),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A mapping of the file that holds blocks by step type and step name. `words` name it to people."""

    words: str
    path: Path
    node: MappingNode

    @property
    def is_profile(self) -> bool:
        return self.path[0] == "profiles"

    def block(self, key: str) -> MappingNode | None:
        entry = self.node.entries.get(key)
        if entry is None or not isinstance(entry.node, MappingNode):
            return None
        given = {key: value for key, value in entry.node.entries.items() if key not in OWN_KEYS}
        return MappingNode(entry.node.place, given)


def defaults(source: SourceFile) -> Layer | None:
    return _layer(source, "defaults", ("defaults",))


def profiles(source: SourceFile) -> dict[str, Layer]:
    """The profiles of the file that are mappings, by name."""
    found = source.data.get("profiles")
    names = found if isinstance(found, dict) else ()
    layers = {name: _layer(source, f"profile {name}", ("profiles", name)) for name in names}
    return {name: layer for name, layer in layers.items() if layer is not None}


def keys_of(kind: object, name: str) -> tuple[str, ...]:
    """The keys of the blocks for a step, the weaker first: its type's, then its own, unless that name
    means something else there."""
    own = (name,) if name and name not in STEP_TYPES and name not in TOP_KEYS else ()
    return (kind, *own) if isinstance(kind, str) and kind in STEP_TYPES else own


def merged(low: MappingNode, high: MappingNode) -> MappingNode:
    """One block over another. Associative."""
    entries = dict(high.entries)
    for key, entry in low.entries.items():
        above = high.entries.get(key)
        if above is None:
            entries[key] = entry
        elif key in _MERGED and isinstance(entry.node, MappingNode) and isinstance(above.node, MappingNode):
            entries[key] = Entry(above.place, _params(entry.node, above.node))
    return MappingNode(high.place, entries)


def hidden(low: MappingNode, high: MappingNode) -> Iterator[tuple[Path, Path]]:
    """The values of `low` that have no effect below `high`, and which ones of `high` are the reason."""
    for key, entry in low.entries.items():
        above = high.entries.get(key)
        if above is None:
            continue
        if key in _MERGED and isinstance(entry.node, MappingNode) and isinstance(above.node, MappingNode):
            for part in entry.node.entries:
                reason = next((word for word in above.node.entries if part in _instead_of(word)), None)
                if reason is not None:
                    yield (key, part), (key, reason)
        else:
            yield (key,), (key,)


def leaves(block: MappingNode) -> Iterator[Path]:
    """The ways to the values of a block that are replaced as a whole."""
    for key, entry in block.entries.items():
        if key in _MERGED and isinstance(entry.node, MappingNode):
            yield from ((key, part) for part in entry.node.entries)
        else:
            yield (key,)


def _params(low: MappingNode, high: MappingNode) -> MappingNode:
    stated = frozenset[str]().union(*(_instead_of(key) for key in high.entries))
    below = {key: entry for key, entry in low.entries.items() if key not in stated}
    return MappingNode(high.place, {**high.entries, **below})


def _instead_of(key: str) -> frozenset[str]:
    """The keys that are taken from no layer below where `key` is stated."""
    return _INSTEAD.get(key, frozenset((key,)))


def _layer(source: SourceFile, words: str, path: Path) -> Layer | None:
    node = source.node(path)
    return Layer(words, path, node) if isinstance(node, MappingNode) else None
