"""Prompts in which references are named: ``@mia`` becomes words, or the vendor's own tag.

The texts below are part of what is paid for: a change of one makes users of that route pay again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.references.reference import Reference

#: The last resort: the description in every prompt.
MERGED = "{prompt}\n\nThe same in every scene: {description}."
#: The first of two stages: from a picture, from words alone, and what follows where there is a description.
STILL_OF_PICTURE = (
    "Redraw this picture with the subject of the reference pictures in it. Keep the composition, the place"
    " and the light. The scene: {prompt}"
)
STILL_OF_WORDS = "One still of this scene, with the subject of the reference pictures in it: {prompt}"
STILL_SUBJECT = "\nThe subject: {description}."

_PLACE = re.compile(r"\{(prompt|description)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """What one job makes of a prompt. `names` maps declared names to what stands in their place."""

    names: Mapping[str, str] = field(default_factory=dict)
    template: str = "{prompt}"
    description: str = ""

    def of(self, prompt: str) -> str:
        parts = {"prompt": replaced(prompt, self.names), "description": self.description}
        return _PLACE.sub(lambda place: parts[place[1]], self.template)


def mentioned(text: str, names: Iterable[str]) -> Iterator[str]:
    """The declared names that a prompt mentions as ``@name``."""
    pattern = _pattern(names)
    return iter(dict.fromkeys(match[1] for match in pattern.finditer(text))) if pattern else iter(())


def replaced(text: str, names: Mapping[str, str]) -> str:
    """`text` with each ``@name`` replaced; other words with an @ stay as they are."""
    pattern = _pattern(names)
    return pattern.sub(lambda match: names[match[1]], text) if pattern else text


def merged(names: Mapping[str, str], references: Sequence[Reference], mentions: Iterable[str]) -> Wording:
    """The prompt, and behind it the descriptions of what it does not mention itself."""
    said = set(mentions)
    left = [one for one in references if one.name not in said]
    return Wording(names, MERGED, described(left)) if left else Wording(names)


def still(
    names: Mapping[str, str],
    references: Sequence[Reference],
    mentions: Iterable[str],
    own: str | None,
    *,
    from_picture: bool,
) -> Wording:
    """The prompt of a still. `own` is the user's template, with ``{prompt}`` and ``{description}``."""
    if own is not None:
        return Wording(names, own, described(references))
    said = set(mentions)
    words = described([one for one in references if one.name not in said])
    template = STILL_OF_PICTURE if from_picture else STILL_OF_WORDS
    return Wording(names, template + (STILL_SUBJECT if words else ""), words)


def described(references: Sequence[Reference]) -> str:
    """Their descriptions in a row."""
    return "; ".join(one.description.rstrip(" .;\n") for one in references if one.description)


def tags(card: Card, references: Sequence[Reference], before: int = 0) -> dict[str, str]:
    """What a prompt calls each reference where the model has names of its own; {} where it has none.

    A reference of several pictures is called by its first. `before`: files that come first in the list.
    """
    field = card.roles.get(Role.REFERENCE)
    if field is None or field.mention is None:
        return {}
    found, number = {}, before + 1
    for one in references:
        found[one.name] = field.mention.replace("{n}", str(number))
        number += 1 if field.kind == "elements" else len(one.pictures)
    return found


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """No letter stands before the @, and the name ends where a word of that kind would end."""
    either = "|".join(map(re.escape, names))
    if not either:
        return None
    return re.compile(rf"(?<![\w@.])@({either})(?![A-Za-z0-9_]|-[A-Za-z0-9_])")
