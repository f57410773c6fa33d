"""Which part of a pipeline is asked for: ``--only``, ``--from`` and ``--until`` a step or an item.

The rest is used where it is there already, and never made: nobody pays for what was not asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ai_content_pipeline.engine.graph import Graph, Unit
from ai_content_pipeline.errors import UsageError


@dataclass(frozen=True, slots=True)
class Selection:
    """Steps by name, or items by address (``clips/scene_2``).

    `only`: just these. `start`: this and all that is made of it. `until`: this and all that it is made
    of. With both, what lies between them.
    """

    only: tuple[str, ...] = ()
    start: str | None = None
    until: str | None = None

    @property
    def options(self) -> list[str]:
        """The words of the command line that say the same."""
        words = [word for name in self.only for word in ("--only", name)]
        words += ["--from", self.start] if self.start is not None else []
        return words + (["--until", self.until] if self.until is not None else [])

    def units(self, graph: Graph) -> frozenset[int] | None:
        """The numbers of the units that may be made; None: all of them.

        Raises:
            UsageError: a name that is neither a step nor an item, or nothing between two of them.
        """
        if not self.options:
            return None
        if self.only and (self.start is not None or self.until is not None):
            raise UsageError(
                "--only names all that is wanted, and --from and --until a range", hint="use one or the other"
            )
        if self.only:
            return frozenset().union(*(_named(graph, name, "--only") for name in self.only))
        found = frozenset(range(len(graph.units)))
        if self.start is not None:
            found &= _below(graph, _named(graph, self.start, "--from"))
        if self.until is not None:
            found &= _above(graph, _named(graph, self.until, "--until"))
        if not found:
            raise UsageError(f"nothing of {self.start} goes into {self.until}", hint="turn them round")
        return found


EVERYTHING = Selection()

#: What the plan says of items that nobody asked for, where they have no file that could be used.
_WITHOUT_FILES = {"not asked for": "not made yet", "in doubt": "in doubt", "blocked": "blocked"}


class InputMissing(UsageError):
    """Something that is asked for needs an item that is not there and was not asked for.

    `step` is the one that makes it.
    """

    def __init__(self, message: str, step: str) -> None:
        super().__init__(message, hint=f"make it first with --until {step}, or ask for it as well")
        self.step = step


def check_inputs(graph: Graph, wanted: Collection[int], states: Mapping[int, str]) -> None:
    """Refuse to begin what cannot be made. `states` says by number how the plan found each unit.

    Raises:
        InputMissing: for the first input that is not there.
    """
    lacking = {
        need: unit
        for unit in reversed(graph.units)
        if unit.number in wanted
        for need in unit.needs
        if graph.maker[need].number not in wanted and states[graph.maker[need].number] in _WITHOUT_FILES
    }
    for need, unit in reversed(lacking.items()):
        maker = graph.maker[need]
        more = len(lacking) - 1
        others = f" ({more} more inputs are missing)" if more > 1 else " (and one more input)" * more
        how = _WITHOUT_FILES[states[maker.number]]
        raise InputMissing(f"{unit.items[0].address} needs {need}, which is {how}{others}", maker.step.name)


def _named(graph: Graph, name: str, option: str) -> frozenset[int]:
    if name in graph.maker:
        return frozenset((graph.maker[name].number,))
    found = frozenset(unit.number for unit in graph.units if unit.step.name == name)
    if found:
        return found
    steps = list(dict.fromkeys(unit.step.name for unit in graph.units))
    near = get_close_matches(name, [*steps, *graph.maker], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the steps are {', '.join(steps)}"
    raise UsageError(f"{option} {name!r}: there is no such step or item", hint=hint)


def _below(graph: Graph, targets: frozenset[int]) -> frozenset[int]:
    """`targets` and all that is made of them."""
    found = set(targets)
    for unit in graph.units:
        if not found.isdisjoint(_makers(graph, unit)):
            found.add(unit.number)
    return frozenset(found)


def _above(graph: Graph, targets: frozenset[int]) -> frozenset[int]:
    """`targets` and all that they are made of."""
    found = set(targets)
    for unit in reversed(graph.units):
        if unit.number in found:
            found |= _makers(graph, unit)
    return frozenset(found)


def _makers(graph: Graph, unit: Unit) -> set[int]:
    return {graph.maker[need].number for need in unit.needs}
