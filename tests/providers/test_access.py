"""Keys and addresses come from the environment, and a bad one is refused before anything is sent."""

from __future__ import annotations

import pytest

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.providers.access import base_of, key_of


def test_a_missing_key_names_both_ways_out() -> None:
    """Set the key, or draft; exit 4, never a silent mock."""
    for environ in ({}, {"FAL_KEY": ""}, {"FAL_KEY": "  \n"}):
        with pytest.raises(ConfigurationError, match="FAL_KEY is not set") as error:
            key_of(environ, "FAL_KEY", "fal")
        assert error.value.exit_code == 4
        assert "--draft" in str(error.value.hint)
        assert "FAL_KEY" in str(error.value.hint)


def test_a_key_is_taken_as_it_was_meant() -> None:
    """The newline of a file that held it is no part of it."""
    assert key_of({"FAL_KEY": " id:secret\n"}, "FAL_KEY", "fal") == "id:secret"


@pytest.mark.parametrize("key", ["two words", "líne", "a\nb", "a\x00b"])
def test_what_cannot_be_a_key_is_refused_unseen(key: str) -> None:
    """It would break the request header, and the error would print it."""
    with pytest.raises(ConfigurationError) as error:
        key_of({"FAL_KEY": key}, "FAL_KEY", "fal")
    assert key not in str(error.value)


@pytest.mark.parametrize(
    ("value", "base"),
    [
        ("", None),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://127.0.0.1:4010/ ", "http://127.0.0.1:4010"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("https://gateway.example/fal", "https://gateway.example/fal"),
    ],
)
def test_overrides_that_are_good(value: str, base: str | None) -> None:
    """https anywhere, http on this machine, nothing at all."""
    assert base_of({"AICP_FAL_URL": value}, "AICP_FAL_URL") == base
    assert base_of({}, "AICP_FAL_URL") is None


@pytest.mark.parametrize(
    "value",
    [
        "http://evil.example",
        "http://10.0.0.1:80",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://2130706433",
        "ftp://127.0.0.1",
        "file:///tmp",
        "127.0.0.1:4010",
        "https://user:pass@gateway.example",
        "https://gateway.example/?a=1",
        "https://gateway.example/#a",
        "https://",
    ],
)
def test_overrides_that_would_leak_the_key(value: str) -> None:
    """Plain http to anywhere but this machine, and everything that is no base address."""
    with pytest.raises(ConfigurationError, match="AICP_FAL_URL") as error:
        base_of({"AICP_FAL_URL": value}, "AICP_FAL_URL")
    assert "pass" not in str(error.value)
