"""concat: one film of all clips, known before it is made."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Pending, Role
from ai_content_pipeline.generation.keys import local_key
from ai_content_pipeline.steps.concat import Concat
from ai_content_pipeline.steps.protocol import Faults, Input, Item, Setting

Seconds = float | None


def step(**params: object) -> Concat:
    return Concat.model_validate({"name": "film", "type": "concat", "params": params})


def _nothing(name: str) -> Input:
    raise LookupError(name)


SETTING = Setting("film", {}, _nothing, _nothing)


def clips(*seconds: Seconds, width: int | None = 854, height: int | None = 481) -> list[Input]:
    return [
        Input(Pending(f"clips/c{n}", Kind.VIDEO, width, height, length), f"c{n}")
        for n, length in enumerate(seconds, start=1)
    ]


def film(inputs: list[Input], **params: object) -> Item:
    (item,) = step(**params).items({Role.INPUT: inputs}, SETTING)
    return item


def test_all_clips_become_one_item_named_after_the_step() -> None:
    """A reduce: every clip in order, one job, one file."""
    item = film(clips(5.0, 4.0, 3.0))
    assert (item.address, item.index, item.job) == ("film/film", 0, 0)
    assert [clip.address for clip in item.inputs[Role.INPUT]] == ["clips/c1", "clips/c2", "clips/c3"]


@pytest.mark.parametrize(
    ("seconds", "params", "made"),
    [
        ((5.0, 4.0, 3.0), {}, (854, 480, 12.0)),
        ((5.0, 4.0, 3.0), {"crossfade": 0.5}, (854, 480, 11.0)),
        ((5.0, None), {"size": "1280x720"}, (1280, 720, None)),
        ((5.0,), {"crossfade": 9}, (854, 480, 5.0)),
    ],
)
def test_size_and_length_are_known_before(
    seconds: tuple[Seconds, ...], params: dict[str, object], made: object
) -> None:
    """The first clip's size, in even sides, unless one is asked for; each seam costs a cross-fade."""
    makes = film(clips(*seconds), **params).makes
    assert (makes.width, makes.height, makes.seconds) == made
    assert makes.kind is Kind.VIDEO


@pytest.mark.parametrize(("fade", "fits"), [(2.9, True), (3, False), (4, False)])
def test_a_crossfade_is_shorter_than_the_shortest_clip(fade: float, fits: bool) -> None:
    """Else a clip would be gone before it is there. Where no length is known, it cannot be said."""
    lengths = (5.0, None, 3.0)
    assert film(clips(None, None), crossfade=fade)
    if fits:
        assert film(clips(*lengths), crossfade=fade)
        return
    with pytest.raises(Faults) as caught:
        film(clips(*lengths), crossfade=fade)
    (fault,) = caught.value.faults
    assert fault.path == ("params", "crossfade")
    assert fault.message == f"a crossfade of {fade} s is not shorter than 'c3', which lasts 3 s"


@pytest.mark.parametrize(
    "params",
    [
        {"size": "1280"},
        {"size": "1281x720"},
        {"size": "0x0"},
        {"size": "9000x9000"},
        {"size": 1280},
        {"fit": "stretch"},
        {"fps": 0},
        {"fps": 121},
        {"fps": "24"},
        {"crossfade": -1},
        {"crossfade": float("nan")},
        {"speed": 2},
    ],
)
def test_wrong_fields_are_refused(params: dict[str, object]) -> None:
    """Sizes, rates and fades have limits; nothing is guessed."""
    with pytest.raises(ValidationError):
        step(**params)


def test_an_odd_size_is_told_the_nearest_even_one() -> None:
    """The hint is what to write instead."""
    with pytest.raises(ValidationError, match='has even sides; write "1280x720"'):
        step(size="1281x721")


def test_the_key_is_all_that_changes_the_film_and_nothing_else() -> None:
    """Clips in order, size, fit, rate and fade; not the step's name. Golden: it may not change."""

    def key(*letters: str, name: str = "film", **params: object) -> str:
        info = MediaInfo(Kind.VIDEO, "video/mp4", 640, 360, 4.0, 24.0)
        inputs = [Input(Artifact(letter * 64, 9, info), letter) for letter in letters]
        one = Concat.model_validate({"name": name, "type": "concat", "params": params})
        setting = Setting(name, {}, _nothing, _nothing)
        return local_key(one.work(one.items({Role.INPUT: inputs}, setting)[0], setting))

    plain = key("a", "b")
    assert plain == key("a", "b", name="other") == key("a", "b", crossfade=0.0, fit="pad")
    changed = [
        key("b", "a"),
        key("a", "b", crossfade=0.5),
        key("a", "b", fit="crop"),
        key("a", "b", fps=24),
        key("a", "b", size="64x64"),
    ]
    assert len({plain, *changed}) == 6
    assert key("a", "b", fps=24) == key("a", "b", fps=24.0)
    assert plain == "a25b9da8865ef53edfdf774ea5cbf2d1e26143e048aa3c8e30ea4c0cb3c5ad2a"
