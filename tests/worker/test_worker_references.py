"""Reference pictures come from public hosts, in time, within limits, and are pictures (classes U and M1)."""

from __future__ import annotations

import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_content_pipeline.media.download import Limits
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.worker import references
from ai_content_pipeline.worker.assignment import Asked
from ai_content_pipeline.worker.inference import JobFailed
from tests.worker.conftest import Handler, Office, Pictures, picture

QUICK = Limits(size=1 << 20, inline=1 << 20, seconds=2.0, idle=0.5, slowest=4096, patience=0.3, tries=1)


def never() -> bool:
    return False


def fetch(url: str, folder: Path, allow: HostRule) -> None:
    asked = {"reference": Asked(url, ("metadata", "reference_image_url"))}
    references.fetch(asked, folder, allow, never, QUICK)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://127.0.0.1/a.png",
        "https://127.0.0.1/a.png",
        "https://localhost/a.png",
        "https://2130706433/a.png",
        "https://0x7f000001/a.png",
        "https://0177.0.0.1/a.png",
        "https://127.1/a.png",
        "https://[::1]/a.png",
        "https://[::ffff:7f00:1]/a.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.100.100.200/",
        "https://[fd00:ec2::254]/",
        "https://10.0.0.1/a.png",
        "https://172.16.0.1/a.png",
        "https://192.168.1.1/a.png",
        "https://0.0.0.0/a.png",
        "https://100.64.0.1/a.png",
        "https://168.63.129.16/a.png",
        "https://[64:ff9b::7f00:1]/a.png",
        "https://[2002:7f00:1::]/a.png",
        "https://[::7f00:1]/a.png",
        "https://\uff11\uff12\uff17.0.0.1/a.png",
        "https://localhost./a.png",
        "https://files.example\r\nX: y/a.png",
        "https://fal.media@127.0.0.1/a.png",
        "https://files.example\\@127.0.0.1/a.png",
        "//127.0.0.1/a.png",
        "gopher://127.0.0.1/",
        "data:text/html;base64,PGh0bWw+",
        "/etc/passwd",
    ],
)
@pytest.mark.parametrize("field", ["reference_image_url"])
def test_where_nothing_is_fetched_from(desk: Office, url: str, field: str) -> None:
    """Files, loopback, private and metadata addresses however written are 422, by the field's path."""
    answer = desk.put("bad", metadata={field: url})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "metadata", field]
    assert "passwd" not in answer.text or "passwd" in url


def bomb(side: int) -> bytes:
    """A PNG of side² pixels in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def redirected(url: str) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(302, location=url)


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"\x89PNG" * 4096)


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"\x89")
        time.sleep(0.05)


def silent(handler: Handler) -> None:
    threading.Event().wait(5)


def compressed(handler: Handler) -> None:
    handler.reply(200, zlib.compress(bytes(1 << 20)), content_encoding="deflate")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (bomb(12_000), "megapixels"),
        (picture()[:200], "damaged"),
        (b"<html>not found</html>", "HTML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"", "empty"),
        (bytes(2 << 20), "larger|bytes"),
        (redirected("http://127.0.0.1:1/a.png"), "plain http"),
        (redirected("https://127.0.0.1:1/a.png"), "not a public"),
        (redirected("https://2130706433/a.png"), "unusual|not a public"),
        (redirected("file:///etc/passwd"), "https"),
        (endless, "larger"),
        (drip, "slowly|cannot be fetched"),
        (silent, "cannot be fetched"),
        (compressed, "compressed"),
    ],
)
def test_what_is_no_picture_is_refused(
    pictures: Pictures, tmp_path: Path, what: bytes | Callable[[Handler], None], said: str
) -> None:
    """Bombs, pages, cut and endless files, drips, redirects inwards: each is a fault of its field."""
    began = time.monotonic()
    with pytest.raises(JobFailed, match=said) as caught:
        fetch(pictures.put("a.png", what), tmp_path, HostRule.of(pictures.url))
    assert caught.value.fault.code == "download"
    assert caught.value.fault.message.startswith("metadata.reference_image_url: ")
    assert str(tmp_path) not in caught.value.fault.message
    assert time.monotonic() - began < 5


def test_a_worker_says_what_was_wrong(office: Office, pictures: Pictures) -> None:
    """End to end: the 12,000² PNG fails its job alone, and another goes on."""
    office.put("bomb", metadata={"reference_image_url": pictures.put("bomb.png", bomb(12_000))})
    office.put("good", metadata={"reference_image_url": pictures.put("good.png", picture())})
    failed = office.end("bomb")
    assert (failed["state"], failed["error"]["code"]) == ("failed", "download")
    assert "144" in failed["error"]["message"] or "megapixels" in failed["error"]["message"]
    assert office.end("good")["state"] == "completed"


def test_a_private_network_is_allowed_by_the_operator(pictures: Pictures, tmp_path: Path) -> None:
    """allow_private_hosts fetches from this machine, also redirected; clouds' metadata stays refused."""
    allow = HostRule(private=True)
    good = pictures.put("good.png", picture())
    fetch(good, tmp_path, allow)
    fetch(pictures.put("moved.png", redirected(good)), tmp_path, allow)
    with pytest.raises(JobFailed):
        fetch(pictures.put("inwards.png", redirected("http://169.254.169.254/latest")), tmp_path, allow)


def test_references_of_one_job_are_not_anothers(office: Office, pictures: Pictures) -> None:
    """Nothing fetched is kept for the next job: each asks by itself, and no content is shared (W10)."""
    url = pictures.put("a.png", picture())
    for job_id in ("one", "two"):
        office.put(job_id, user_id=job_id, metadata={"reference_image_url": url})
        office.end(job_id)
    assert pictures.requests == ["/a.png", "/a.png"]
    assert list(office.service.scratch.rglob("reference-*")) == []
