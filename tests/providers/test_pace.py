"""What a vendor's answers to submits say of its rate."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from ai_content_pipeline.errors import NotAccepted, OutcomeUnknown
from ai_content_pipeline.jobs import WireRequest
from ai_content_pipeline.providers.fal import FalProvider
from ai_content_pipeline.providers.pace import Pace, pace_of
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.replicate import ReplicateProvider
from ai_content_pipeline.providers.transport import Patience
from ai_content_pipeline.sandbox import Match, Rule, Sandbox
from ai_content_pipeline.sandbox import actions as do

DATE = "Tue, 22 Sep 2026 12:53:20 GMT"  # 1790081600
SUBMITS = {
    "fal": (FalProvider, WireRequest("fal-ai/nano-banana", {"prompt": "a cat"})),
    "replicate": (ReplicateProvider, WireRequest("google/nano-banana", {"prompt": "a cat"})),
}


@pytest.mark.parametrize(
    ("status", "headers", "pace"),
    [
        (201, {}, Pace(False)),
        (201, {"ratelimit-remaining": "5", "ratelimit-reset": "30"}, Pace(False, None, 5, 30.0)),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1.5"}, Pace(False, None, 0, 1.5)),
        (
            201,
            {"ratelimit-remaining": "5", "ratelimit-reset": "1790081660", "date": DATE},
            Pace(False, None, 5, 60),
        ),
        (
            201,
            {"ratelimit-remaining": "5", "ratelimit-reset": "1790081000", "date": DATE},
            Pace(False, None, 5, 0),
        ),
        (201, {"ratelimit-remaining": "many", "ratelimit-reset": "-1"}, Pace(False)),
        (202, {"retry-after": "30"}, Pace(False)),  # when to poll
        (429, {}, Pace(True)),
        (429, {"retry-after": "30"}, Pace(True, 30.0)),
        (429, {"retry-after": "1000000000"}, Pace(True, 3600.0)),
        (503, {"retry-after": "30"}, Pace(None, 30.0)),
        (422, {}, Pace(None)),
    ],
)
def test_what_an_answer_says(status: int, headers: dict[str, str], pace: Pace) -> None:
    """Both spellings, both meanings of a reset; nonsense says nothing."""
    assert pace_of(httpx.Response(status, headers=headers)) == pace


@pytest.mark.parametrize("vendor", SUBMITS)
def test_every_submit_is_heard_of_once(sandbox: Sandbox, tmp_path: Path, vendor: str) -> None:
    """Accepted, refused or lost: one word each, so that what is under way can be counted; polls none."""
    heard: list[Pace] = []
    kind, wire = SUBMITS[vendor]
    provider = kind(
        Surroundings(sandbox.environ(), tmp_path, lambda sha: tmp_path, heard=heard.append),
        Patience(read=0.5, whole=1.0),
    )
    try:
        handle = provider.submit(wire, "key")
        provider.poll(handle)
        assert [pace.refused for pace in heard] == [False]
        for action, error in ((do.Status(code=429, retry_after=7), NotAccepted), (do.Drop(), OutcomeUnknown)):
            sandbox.script(Rule(match=Match(route=("submit",)), action=action))
            with pytest.raises(error):
                provider.submit(wire, "key")
        assert heard[1:] == [Pace(True, 7.0), Pace()]
    finally:
        provider.close()
