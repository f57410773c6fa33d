"""Which fields of a vendor's schema take pictures, and what for.

Replicate marks files with ``format: uri``; fal does not, so there the name must say it. Fields that are
deprecated, or documented as ignored, are refused: a trial call would accept them and change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog.openapi import Field
from ai_content_pipeline.jobs import Task


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+|[0-9]+", text.lower()))


_ADDRESS = re.compile(r"_ur[li]s?$")
#: Names of a field without ``_url`` that takes a file also where no format says so.
_BARE = ("image", "images", "start_image", "end_image", "last_frame_image", "first_frame_image", "mask")
_PICTURE = _words(
    "image images img picture pictures photo photos frame face mask subject character characters"
    " reference references ref style tail"
)
_VIDEO = _words("video videos clip")
_OTHER = _words("audio voice sound music lora loras weights webhook callback model path checkpoint depth")
_PLACE = _words("start end first last")
_ROLES = (
    (Role.MASK, _words("mask")),
    (Role.END, _words("end last tail final")),
    (Role.START, _words("start first head")),
    (
        Role.REFERENCE,
        _words("reference references ref subject character characters face style ip adapter ingredients"),
    ),
)
_DROPPED = re.compile(
    r"\bdeprecated\b|\bno longer (used|supported|has)|\bhas no effect\b|backwards?[- ]compatib"
    # "ignored when a start picture is given" is a condition, "accepted and ignored" is an end
    r"|\bignored\b(?!\s+(if|when|where|unless|for|in|on|with|while|by default)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FileField:
    """A field that takes files: what for, of which kind, and whether a list of them."""

    field: Field
    role: Role
    takes: Kind

    @property
    def many(self) -> bool:
        return self.field.type == "array"


def dropped(field: Field) -> bool:
    """Whether the vendor accepts this field and does not heed it."""
    return field.deprecated or _DROPPED.search(field.text) is not None


def file_fields(fields: Sequence[Field], task: Task) -> tuple[FileField, ...]:
    """The fields that take pictures or clips for `task`, without those that are not heeded."""
    kinds = [(field, takes) for field in fields if (takes := kind_of(field)) and not dropped(field)]
    found = tuple(FileField(field, _role(field, takes, task), takes) for field, takes in kinds)
    if task is not Task.REFERENCE_TO_VIDEO or any(one.role is Role.REFERENCE for one in found):
        return found
    # A model made to keep a subject, and one picture: that is the subject.
    return tuple(replace(one, role=Role.REFERENCE) if one.role is Role.START else one for one in found)


def kind_of(field: Field) -> Kind | None:
    """The kind of file that a field takes; None for a field that takes none."""
    if field.enum or (field.items or field.type) != "string":
        return None
    words = _words(field.name)
    address = _ADDRESS.search(field.name) is not None
    if not (field.uri or address or field.name in _BARE) or words & _OTHER:
        return None
    if words & _VIDEO and not words & _PICTURE:
        return Kind.VIDEO
    if words & (_PICTURE | _PLACE):
        return Kind.IMAGE
    said = _words(field.text)
    return Kind.IMAGE if field.uri and said & _PICTURE and not said & (_OTHER | _VIDEO) else None


def role_in(name: str) -> Role | None:
    """The role that a field's name alone tells; None where it names no picture, or not what for."""
    if kind_of(Field(name, "string", uri=True)) is not Kind.IMAGE:
        return None
    words = _words(name)
    return next((role for role, names in _ROLES if words & names), None)


def _role(field: Field, takes: Kind, task: Task) -> Role:
    words = _words(field.name)
    for role, names in _ROLES:
        if words & names and not (takes is Kind.VIDEO and role is not Role.REFERENCE):
            return role
    if takes is Kind.VIDEO or task in (Task.IMAGE_TO_IMAGE, Task.UPSCALE):
        return Role.INPUT
    return Role.START if task.makes is Kind.VIDEO and field.type != "array" else Role.REFERENCE
