"""How a protocol hands a recognised request to the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .actions import AnyAction
from .faults import Call
from .messages import Reply, Request

Actions = tuple[AnyAction, ...]
Serve = Callable[[Request, Actions], Reply]


@dataclass(frozen=True, slots=True)
class Routed:
    """What a request is about, and the function that serves it."""

    call: Call
    serve: Serve
