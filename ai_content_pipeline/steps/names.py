"""What every field of a step is made of: frozen, strict values, and names that are safe as file names."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ .]*(\..*)?")


def valid_name(name: str) -> str:
    """A name that is safe as a file name on every system."""
    if not is_name(name):
        raise ValueError(f"{name[:80]!r} is no name; use letters, digits, '_' and '-', at most 64")
    if reserved(name):
        raise ValueError(f"{name!r} is a reserved name on Windows; choose another name")
    return name


def is_name(text: str) -> bool:
    """True for letters, digits, ``_`` and ``-``, at most 64."""
    return bool(_NAME.fullmatch(text))


def reserved(name: str) -> bool:
    """True for names that Windows gives to devices, with any suffix."""
    return bool(_RESERVED.fullmatch(name))


Name = Annotated[str, AfterValidator(valid_name)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Fields(BaseModel):
    """Frozen, and strict: YAML has types, so ``"4"`` is no number of workers.

    A model's validator is built when it is first used: a file uses few of them, and each takes a while.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def as_list(value: Any) -> Any:
    """One value is a list of one."""
    return value if isinstance(value, list) else [value]
