"""``python -m ai_content_pipeline``, and the ``aicp`` command."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

from ai_content_pipeline.cli import garbage


def main() -> None:
    """The only function that exits."""
    garbage.begin()
    # Looking for pydantic plugins reads every installed package's metadata: a tenth of a dry run.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # httpx loads rich and pygments for a command line of its own, where they are installed: half of its
    # import. Not found, it goes without, as it does where they are not installed.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by our caller: no file of ours may get its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    try:
        from ai_content_pipeline.cli.app import run_app

        code = run_app(sys.argv[1:])
    except KeyboardInterrupt:  # before or after any command: nothing to save, nothing to explain
        sys.stderr.write("interrupted\n")
        code = 130
    if threading.active_count() == 1:  # nothing is waited for: a late ^C would only spoil the exit code
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is left goes with the process; looking through it once more takes a tenth of a second.
    gc.disable()
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
