"""fal's official client by itself, as one would use it in a script: no journal, no checks, no report.

What a run of many jobs is compared with: nothing that stands on that client can be quicker.
Prints the seconds that its jobs take (``python -m benchmarks.bare JOBS WORKERS FOLDER``).
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from fal_client import SyncClient

from ai_content_pipeline.providers import fal_sdk


def main() -> None:
    jobs, workers, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    fal_sdk.point(os.environ["AICP_FAL_URL"])
    client = SyncClient(key=os.environ["FAL_KEY"])
    started = time.perf_counter()
    with httpx.Client() as files, ThreadPoolExecutor(workers) as pool:

        def make(number: int) -> None:
            result = client.subscribe("fal-ai/nano-banana-pro", {"prompt": f"picture {number}"})
            picture = files.get(result["images"][0]["url"])
            (folder / f"{number}.png").write_bytes(picture.content)

        list(pool.map(make, range(jobs)))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
