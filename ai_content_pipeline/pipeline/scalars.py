"""What plain text in a pipeline file means: the YAML 1.2 core scalars, and nothing that merely resembles one.

`on`, `yes`, `12:30:45`, dates and numbers with leading zeros (`010`) stay text.
Source of the forms: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

#: Characters that no file and no value may contain: controls, line breaks that editors do not show as
#: such (NEL, LS, PS), a byte order mark in the middle, halves of surrogate pairs, noncharacters.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")

NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(NULLS),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_STARTS = frozenset("+-.0123456789")

_INT64 = range(-(2**63), 2**63)
_MAX_DIGITS = 64


class OutOfRange(ValueError):
    """A number that a 64-bit integer or a finite float cannot hold."""


def read(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar. Raises `OutOfRange`."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        raise OutOfRange("infinity and 'not a number' are not numbers to work with")
    return text


def _integer(text: str) -> int:
    _check_digits(text)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    value = int(text, base)
    if value not in _INT64:
        raise OutOfRange("this whole number is out of range (more than 64 bits)")
    return value


def _float(text: str) -> float:
    _check_digits(text)
    value = float(text)
    if not math.isfinite(value):
        raise OutOfRange("this number is out of range (more than about 1.8e308)")
    return value


def _check_digits(text: str) -> None:
    if len(text) > _MAX_DIGITS:
        raise OutOfRange(f"this number is out of range (more than {_MAX_DIGITS} digits)")
