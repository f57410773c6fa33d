"""report.html in a real browser, opened from disk. Skipped where there is no Chromium.

The browser is driven over a pipe: no port, no driver, no package.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline import report
from ai_content_pipeline.engine.results import RunResult

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium is installed")

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
    " --remote-debugging-pipe"
)


@dataclass
class Browser:
    """One page. `events` holds everything that the browser told: requests, console, dialogs."""

    process: subprocess.Popen[bytes]
    orders: int
    answers: int
    events: list[dict[str, Any]] = field(default_factory=list)
    session: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _buffer: bytes = b""

    def call(self, method: str, **params: object) -> dict[str, Any]:
        number = next(self._numbers)
        order: dict[str, object] = {"id": number, "method": method, "params": params}
        if self.session:
            order["sessionId"] = self.session
        os.write(self.orders, json.dumps(order).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page from disk and wait until it and its media have loaded, or will not."""
        self.events.clear()
        self.session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.ask(_LOADED)

    def ask(self, script: str) -> Any:
        """The value of an expression in the page (the debugger may run what the page may not)."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def requested(self) -> set[str]:
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return {event["request"]["url"] for event in sent}

    @property
    def complaints(self) -> list[str]:
        """What the console and the security policy said."""
        names = (
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Audits.issueAdded",
            "Page.javascriptDialogOpening",
        )
        return [json.dumps(event) for event in self.events if event["method"] in names]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self.answers, 1 << 16)
            assert chunk, "the browser has gone"
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


# Lazy pictures are asked for at once, so that "loaded" means all of them.
_LOADED = """new Promise(done => {
  const settled = video => video.readyState > 1 || video.error || video.networkState == 3;
  const all = () => [...document.images].every(i => i.complete)
    && [...document.querySelectorAll('video[preload=metadata]')].every(settled);
  const look = (left) => {
    if (document.readyState == 'complete') document.querySelectorAll('img').forEach(i => i.loading = 'eager');
    (document.readyState == 'complete' && all()) || !left ? done(true) : setTimeout(look, 50, left - 1)
  };
  look(400);
})"""


# The browser reads orders from descriptor 3 and answers on 4.
_LAUNCH = """
import fcntl, os, sys
orders, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(orders, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        their_orders, orders = os.pipe()
        answers, their_answers = os.pipe()
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _LAUNCH, str(their_orders), str(their_answers)),
                *(executable, *_FLAGS.split(), f"--user-data-dir={profile}"),
            ],
            pass_fds=(their_orders, their_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_orders)
        os.close(their_answers)
        try:
            yield Browser(process, orders, answers)
        finally:
            process.terminate()
            process.wait(10)
            os.close(orders)
            os.close(answers)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert EXECUTABLE is not None
    with chromium(EXECUTABLE) as running:
        yield running


MEDIA = """({
  pictures: [...document.images].map(i => i.naturalWidth),
  clips: [...document.querySelectorAll('video')].map(v => [v.readyState > 0, v.videoWidth, v.duration]),
})"""
WIDE = "document.documentElement.scrollWidth - window.innerWidth"


def test_every_picture_and_clip_is_seen(
    browser: Browser, film: Callable[..., RunResult], tmp_path: Path
) -> None:
    """From disk, under the page's own policy: all media load, and nothing but them is asked for."""
    _, page = report.write(film(), tmp_path)
    browser.open(page)
    assert browser.ask(MEDIA) == {"pictures": [64] * 9, "clips": [[True, 64, 1]] * 4}
    folder = tmp_path.resolve().as_uri()
    asked = {url for url in browser.requested if not url.startswith("data:")}
    assert all(url.startswith(f"{folder}/") for url in asked)
    assert len(asked) == 1 + 9 + 4
    assert browser.complaints == []


def test_a_clip_plays(browser: Browser, film: Callable[..., RunResult], tmp_path: Path) -> None:
    """What the play button does works: the muted clip runs."""
    _, page = report.write(film(), tmp_path)
    browser.open(page)
    assert browser.ask(
        """(async () => { const clip = document.querySelector('video'); await clip.play();
        return new Promise(done => clip.ontimeupdate = () => clip.currentTime > 0 && done(true)); })()"""
    )


def test_markup_in_texts_does_nothing(
    browser: Browser, film: Callable[..., RunResult], tmp_path: Path
) -> None:
    """No script runs, no dialog opens and no request leaves, whatever a prompt or a vendor says."""
    nasty = "</title></style></script><script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
    result = film(fail=2)
    clips = result.step("clips")
    items = tuple(replace(item, prompt=nasty, model=nasty, params={nasty: nasty}) for item in clips.items)
    result = replace(
        result,
        pipeline=nasty,
        notes=(nasty,),
        steps=(*result.steps[:2], replace(clips, items=items), result.steps[3]),
    )
    _, page = report.write(result, tmp_path)
    browser.open(page)
    assert browser.ask("document.title").startswith(nasty[:40])
    assert browser.ask("document.scripts.length") == 0
    assert browser.complaints == []


def test_the_policy_holds_even_if_markup_got_in(
    browser: Browser, film: Callable[..., RunResult], tmp_path: Path
) -> None:
    """The second wall: with a script and a beacon written into the page, the browser refuses both."""
    _, page = report.write(film(), tmp_path)
    beacon = "http://127.0.0.1:9/beacon.png"
    evil = f"<script>document.title = 'owned'</script><img src='{beacon}'><a id=x href='javascript:1'>x</a>"
    page.write_text(page.read_text("utf-8").replace("</main>", f"{evil}</main>"), "utf-8")
    browser.open(page)
    assert browser.ask("document.title") != "owned"
    refusals = [text for text in browser.complaints if "Content Security Policy" in text]
    assert any("script-src" in text for text in refusals)
    assert any(beacon in text for text in refusals)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("fail", [None, 2])
def test_it_fits_any_screen(
    browser: Browser, film: Callable[..., RunResult], tmp_path: Path, width: int, fail: int | None
) -> None:
    """No sideways scrolling, not on a phone and not with a word of 500 letters; details open or not."""
    result = film(fail)
    clips = result.step("clips")
    word = "W" * 500
    items = tuple(
        replace(item, prompt=word, model=word, params={word: word}, notes=(word,)) for item in clips.items
    )
    result = replace(
        result,
        pipeline=word,
        notes=(word,),
        resume_with=word,
        steps=(*result.steps[:2], replace(clips, items=items), result.steps[3]),
    )
    _, page = report.write(result, tmp_path)
    browser.open(page, width=width)
    assert browser.ask(WIDE) <= 0
    browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.ask(WIDE) <= 0
