"""``python -m ai_content_pipeline``, and the ``aicp`` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The only function that exits."""
    # Looking for pydantic plugins reads every installed package's metadata: a tenth of a dry run.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from ai_content_pipeline.cli.app import run_app

    sys.exit(run_app(sys.argv[1:]))


if __name__ == "__main__":
    main()
