from __future__ import annotations

import random

import pytest

from ai_content_pipeline.media.storyboard.scene import Scene, read_scene


def scene(text: str, shared: str = "", seed: int = 1) -> Scene:
    return read_scene(text, shared, random.Random(seed))


@pytest.mark.parametrize(
    ("text", "place", "time"),
    [
        ("Coffee shop meet-cute", "cafe", "golden"),
        ("Walking in the park", "park", "golden"),
        ("Cooking dinner together", "kitchen", "golden"),
        ("Stargazing on rooftop", "rooftop", "night"),
    ],
)
def test_the_love_story_is_understood(text: str, place: str, time: str) -> None:
    """Each panel has its own place; what the panels share gives the couple and the warm light."""
    read = scene(text, "telling a love story. Style: cinematic, warm lighting")
    assert (read.place, read.time, read.people, read.grade) == (place, time, 2, "warm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a lighthouse by the SEA at sunset", {"place": "beach", "time": "golden", "people": 0}),
        ("a dog in a snowy mountain valley", {"place": "mountain", "weather": "snow", "animal": "dog"}),
        ("deep misty forest at dawn", {"place": "forest", "time": "dawn", "weather": "mist"}),
        ("neon city street, a man in the rain", {"place": "street", "grade": "neon", "cast": "second"}),
        ("an astronaut in space at noon", {"place": "space", "time": "night", "people": 1}),
        ("close-up of a woman on a sofa", {"place": "room", "shot": "close", "cast": "first"}),
        ("wide shot of desert dunes at noon", {"place": "desert", "shot": "wide", "time": "day"}),
        ("beautiful woman in garden", {"place": "park", "people": 1}),
        ("A cat walking in a garden, cinematic shot", {"place": "park", "animal": "cat", "people": 0}),
    ],
)
def test_common_words_are_known(text: str, expected: dict[str, object]) -> None:
    """Place, hour, weather, mood, people and animals of everyday prompts."""
    read = scene(text)
    assert {name: getattr(read, name) for name in expected} == expected


@pytest.mark.parametrize("text", ["a mistake in training", "seasonal skills", "surface of a catalogue"])
def test_parts_of_words_mean_nothing(text: str) -> None:
    """Only whole words count: a season is no sea, a mistake no mist."""
    read = scene(text)
    assert read.place in {"hills", "park", "mountain"}, "left to the seed"
    assert (read.weather, read.animal, read.people) == ("", "", 0)


def test_a_panels_own_words_come_first() -> None:
    """What all panels share fills gaps, and overrules nothing."""
    assert scene("at noon on the beach", "city at night, city lights at night").place == "beach"
    assert scene("at noon on the beach", "city at night, city lights at night").time == "day"
    assert scene("a letter", "city at night").place == "street"


def test_unknown_words_leave_the_choice_to_the_seed() -> None:
    """Different seeds give different places, the same seed the same one."""
    places = {scene("quarterly revenue", seed=seed).place for seed in range(20)}
    assert len(places) > 1
    assert scene("quarterly revenue", seed=3) == scene("quarterly revenue", seed=3)
