"""What a long run keeps in memory of the files that it has sent."""

from __future__ import annotations

import subprocess
import sys

_UPLOADS = """
import gc, sys
from ai_content_pipeline.cli import garbage
import httpx

garbage.begin()
if sys.argv[1] == "settled":
    garbage.settle()
transport = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
with httpx.Client(transport=transport) as client:
    for _ in range(400):
        client.put("https://host.example/file", content=b"a picture")
print(sum(isinstance(thing, httpx.Request) for thing in gc.get_objects()))
"""


def kept(how: str) -> int:
    """The requests of 400 uploads, each with its file, that are still in memory after them."""
    done = subprocess.run([sys.executable, "-c", _UPLOADS, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


def test_uploads_do_not_pile_up():
    """A run that has begun keeps few of the files that it has sent; one that is starting keeps them all."""
    assert kept("settled") < 100
    assert kept("starting") == 400  # or there is nothing to settle any more
