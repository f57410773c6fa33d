"""^C and requests to end, as messages instead of exceptions: these could come at any line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def heard(notify: Callable[[], None]) -> Iterator[None]:
    """While inside, each of these signals calls `notify`, between two lines of the main thread.

    `notify` must not wait for a lock: whoever holds it is the interrupted thread itself. A signal that the
    process was told to ignore (nohup) stays ignored. Only the main thread can hear.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: handler
        for name in _NAMES
        if (number := getattr(signal, name, None)) is not None
        and (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }
    for number in before:
        signal.signal(number, lambda number, frame: notify())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
