"""When the interpreter looks for garbage."""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()
_SELDOM = (200_000, 20, 100)


def begin() -> None:
    """What a start makes is needed to the end: not looked through, it is over a tenth sooner."""
    gc.set_threshold(*_SELDOM)


def settle() -> None:
    """The start is over: garbage is looked for as usual from now on, but not among what there is by now.

    httpx leaves a circle behind for each request, which holds the picture that was uploaded.
    """
    if gc.get_threshold() == _SELDOM:
        gc.freeze()
        gc.set_threshold(*_USUAL)
