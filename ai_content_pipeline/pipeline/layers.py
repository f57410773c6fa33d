"""``defaults:`` and ``profiles:`` merged into the steps of a file, in one place and one order::

    defaults < the chosen profile < the step < its entries < --set

In one layer, a block for a step is stronger than the block for its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from ai_content_pipeline.errors import Problem, UsageError
from ai_content_pipeline.pipeline import nodes
from ai_content_pipeline.pipeline.blocks import TOP_KEYS, Layer, defaults, keys_of, leaves, merged, profiles
from ai_content_pipeline.pipeline.nodes import Entry, MappingNode, SequenceNode
from ai_content_pipeline.pipeline.source import Path, SourceFile, closest
from ai_content_pipeline.steps.registry import default_names


@dataclass(frozen=True, slots=True)
class Layered:
    """A file with its layers merged into it, and what is to be said of them."""

    source: SourceFile
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def apply_layers(source: SourceFile, profile: str | None = None) -> Layered:
    """`source` with its ``defaults:`` and the named profile laid below its steps.

    What a profile says of the top of the file replaces what the file says there.

    Raises:
        UsageError: there is no such profile.
    """
    if profile is not None:
        _check_name(source, profile)
    if not source.data.get("defaults") and not source.data.get("profiles"):
        return Layered(source)
    from ai_content_pipeline.pipeline import layer_checks  # few files have layers

    chosen = profiles(source).get(profile) if profile is not None else None
    layers = [layer for layer in (defaults(source), chosen) if layer is not None]
    warnings = layer_checks.warnings(source, chosen) if chosen else ()
    return Layered(_merged_file(source, layers), tuple(layer_checks.check(source)), tuple(warnings))


def _check_name(source: SourceFile, name: str) -> None:
    known = source.data.get("profiles")
    names = list(known) if isinstance(known, dict) else []
    if name in names:
        return
    near = closest(name, names)
    choices = f"there are {', '.join(names)}" if names else "write them at its top, under 'profiles:'"
    what = f"{source.path} has no profile {name[:60]!r}" if names else f"{source.path} has no profiles"
    raise UsageError(what, hint=f"did you mean {near!r}?" if near else choices)


def _merged_file(source: SourceFile, layers: Sequence[Layer]) -> SourceFile:
    root, steps = source.root, source.node(("steps",))
    assert isinstance(root, MappingNode)
    entries, origins = dict(root.entries), dict[Path, str]()
    for layer in layers:
        if layer.is_profile:
            found = {key: entry for key, entry in layer.node.entries.items() if key in TOP_KEYS}
            entries |= found
            origins |= {(key,): layer.words for key in found}
    if isinstance(steps, SequenceNode):
        items = list(steps.items)
        for index, blocks in _blocks(source, layers):
            step = items[index]
            assert isinstance(step, MappingNode)
            items[index] = reduce(merged, [*(block for _, block in blocks), step])
            origins |= _origins(blocks, step, ("steps", index))
        entries["steps"] = Entry(entries["steps"].place, SequenceNode(steps.place, items))
    root = MappingNode(root.place, entries)
    data = nodes.value(root, [])
    assert isinstance(data, dict)
    return replace(source, data=data, root=root, layered=origins)


def _blocks(
    source: SourceFile, layers: Sequence[Layer]
) -> Iterator[tuple[int, list[tuple[str, MappingNode]]]]:
    """Each step that layers say something of: its place, and their blocks with their words, the weakest
    first."""
    raw = source.data.get("steps")
    steps = raw if isinstance(raw, list) else []
    for index, (step, name) in enumerate(zip(steps, default_names(steps), strict=True)):
        if not isinstance(step, dict):
            continue
        keys = keys_of(step.get("type"), name)
        found = [(layer.words, block) for layer in layers for key in keys if (block := layer.block(key))]
        if found:
            yield index, found


def _origins(blocks: Sequence[tuple[str, MappingNode]], step: MappingNode, where: Path) -> dict[Path, str]:
    """Which layer each value came of that the step does not state itself."""
    own = set(leaves(step))
    found = {path: words for words, block in blocks for path in leaves(block)}
    return {(*where, *path): words for path, words in found.items() if path not in own}
