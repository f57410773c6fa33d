"""Hostile text made harmless before anybody reads it. (Escaping for HTML is the template's own work.)"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Whole escape sequences first, so that their letters go too: CSI, then OSC and its kin up to their end.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\))")

#: Characters that show nothing and change how their neighbours are shown or read: controls but tab and
#: newline, bidi marks and overrides, invisible fillers, Unicode tags. Joiners stay: scripts need them.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_URL = re.compile(
    r"\b(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,15}://)(?:[^\s/?#@\"'<>]*@)?(?P<rest>[^\s?#\"'<>]*)(?:[?#][^\s\"'<>]*)?"
)


def encodable(text: str) -> str:
    """Halves of surrogate pairs, which UTF-8 cannot say, replaced."""
    return _SURROGATES.sub("\ufffd", text)


def clean(text: str) -> str:
    """`text` without anything that is not seen: escape sequences, controls, bidi overrides."""
    if text.isprintable():  # as nearly all are: nothing below would find anything
        return text
    text = _LINE_ENDS.sub("\n", _ESCAPES.sub("", text))
    return encodable(HIDDEN.sub("", text))


def one_line(text: str) -> str:
    """Clean text without line ends, for names and commands: what is copied is what is seen."""
    return re.sub(r"[\t\n]+", " ", clean(text)).strip()


def excerpt(text: str, limit: int) -> str:
    """The beginning of clean `text`, at most `limit` characters, cut between words where it can be."""
    text = clean(text).strip()
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip() + "…"


def name(text: str) -> str:
    """A name as it is shown: one line, and no longer than a line."""
    return excerpt(one_line(text), 100)


def unsigned(text: str) -> str:
    """`text` whose URLs have lost their query, fragment and user: signatures and tokens live there."""
    return _URL.sub(r"\g<scheme>\g<rest>", text)


def source_url(url: str) -> str | None:
    """Where a result came from, without what would let anybody fetch it; None for what is no web address."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return encodable(f"{parts.scheme}://{parts.hostname}{port}{parts.path}")
