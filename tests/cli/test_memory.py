"""What a long run keeps in memory of the files that it has sent."""

from __future__ import annotations

import subprocess
import sys

_UPLOADS = """
import gc, os, resource, sys
from ai_content_pipeline.cli.warm import settle
import httpx

gc.set_threshold(200_000, 20, 100)  # as at the start of a command
if sys.argv[1] == "settled":
    settle()
transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with httpx.Client(transport=transport) as client:
    for _ in range(80):
        client.put("https://host.example/file", content=os.urandom(4 << 20))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // (1 << 10 if sys.platform == "linux" else 1 << 20))
"""


def megabytes(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _UPLOADS, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


def test_uploads_do_not_pile_up():
    """Of 80 uploads of 4 MB a run that has begun keeps few; one that looks for no garbage keeps them all."""
    assert megabytes("settled") < 160
    assert megabytes("starting") > 240  # or there is nothing to settle any more
