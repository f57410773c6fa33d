"""The child process of `Sandbox(child=True)`: settings on stdin, the address on stdout."""

from __future__ import annotations

import asyncio
import sys

from .server import serve
from .state import Settings, State


def main() -> int:
    """Serve until stdin closes, which it does when the parent ends, however it ends."""
    settings = Settings.model_validate_json(sys.stdin.readline())
    try:
        asyncio.run(_serve(settings, int(sys.argv[1])))
    except OSError as error:
        _say(str(error))
        return 1
    return 0


async def _serve(settings: Settings, port: int) -> None:
    loop = asyncio.get_running_loop()
    await serve(State(settings), port, _say, lambda: loop.run_in_executor(None, sys.stdin.read))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
