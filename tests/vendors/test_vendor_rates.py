"""A vendor's rate limit, through the whole program: submits wait, no item is given up, nothing is reserved
twice. Here the sandbox's clock passes as quickly as ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ai_content_pipeline.sandbox import Clock, Sandbox, Settings
from ai_content_pipeline.sandbox import actions as do

SPEED = 50.0
SETTINGS = Settings(image_seconds=1.0, look="plain", image_px=64)
PROMPTS = [f"picture {number}" for number in range(16)]


BEGAN, STEADY = time.time(), time.monotonic()


def vendors_now() -> float:
    """Fifty seconds pass in one."""
    return BEGAN + (time.monotonic() - STEADY) * SPEED


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SETTINGS, clock=Clock(vendors_now)) as running:
        yield running


@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_a_rate_limit_is_waited_for(account: Any, vendor: str, told: bool) -> None:
    """Five in 50 s, sixteen items, eight workers: exit 0, each paid once, under a cap for just these."""
    account.script(do.RateLimit(submits=5, seconds=50.0, told=told), vendor=vendor)
    top = f"max_cost: {Decimal('0.15') * len(PROMPTS)}" if vendor == "fal" else ""
    account.write(account.pictures(vendor, PROMPTS, workers=8, top=top))
    said = account.chain()
    assert said.code == 0, said.text
    assert account.paid == dict.fromkeys(PROMPTS, 1)
    refused = account.sandbox.counts()[f"{vendor}.submit"] - len(PROMPTS)
    # Those that went before anything was said; untold, also those that try whether it is over.
    assert refused <= (3 if told else 40)


def test_one_refusal_holds_everybody_back(account: Any) -> None:
    """Retry-After: 100. Only those that were on their way already are taken before it is over."""
    account.script(do.Status(code=429, retry_after=100), route=("submit",), times=1)
    account.write(account.pictures("fal", PROMPTS, workers=4))
    began = vendors_now()
    assert account.chain().code == 0
    created = sorted(job.created - began for job in account.sandbox.jobs())
    assert sum(moment < 100 for moment in created) <= 3, created
    assert account.paid == dict.fromkeys(PROMPTS, 1)


def test_looks_wait_as_long_as_a_vendor_asks(account: Any) -> None:
    """Retry-After: 100 to one look: nobody looks before it is over; exit 0, and each is paid once."""
    account.sandbox.script(
        do.RunTime(seconds=60.0),
        account.rule(do.Status(code=429, retry_after=100), route=("status",), times=1),
    )
    account.write(account.pictures("fal", PROMPTS[:4], workers=4))
    began = vendors_now()
    assert account.chain().code == 0
    assert vendors_now() - began >= 100
    # One or two each before the pause is heard of, one each after it; else it were two dozen each.
    assert account.sandbox.counts()["fal.status"] <= 4 * 4
    assert account.paid == dict.fromkeys(PROMPTS[:4], 1)


def test_a_vendor_that_is_closed_for_long_is_left_alone(account: Any) -> None:
    """Retry-After: an hour. Exit 75 and how long; those that had not gone are not even sent."""
    account.script(do.Status(code=429, retry_after=3600), route=("submit",))
    account.write(account.pictures("fal", PROMPTS, workers=1))
    said = account.chain()
    assert said.code == 75
    assert "it takes no request for another 60 minutes" in account.report
    assert account.sandbox.counts()["fal.submit"] == 1
    account.unscript()
    assert account.chain().code == 0
    assert account.paid == dict.fromkeys(PROMPTS, 1)


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
def test_as_many_at_once_as_was_set(account: Any, vendor: str) -> None:
    """``AICP_…_IN_FLIGHT=2``: never more than two at the vendor, whatever the workers; exit 0, each paid
    once. What is no number is exit 4 with the variable's name, before anything is sent."""
    account.script(do.RunTime(seconds=20.0))
    name = f"AICP_{vendor.upper()}_IN_FLIGHT"
    account.write(account.pictures(vendor, PROMPTS[:6], workers=6))
    account.extra[name] = "two"
    said = account.chain()
    assert (said.code, name in said.err) == (4, True), said.text
    assert account.accepted == 0
    account.extra[name] = "2"
    assert account.chain().code == 0
    spans = [(job.created, job.created + 20.0) for job in account.sandbox.jobs()]
    assert max(sum(begin <= start < end for begin, end in spans) for start, _ in spans) == 2
    assert account.paid == dict.fromkeys(PROMPTS[:6], 1)
