"""Which route a job takes: the first that its model offers, or the one asked for, or words that help."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Role, Route
from ai_content_pipeline.catalog import Catalogue
from ai_content_pipeline.catalog.live import LiveSchema
from ai_content_pipeline.catalog.openapi import Field
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.references.reference import Reference
from ai_content_pipeline.references.routes import Choice, Need, NoRoute, able, can_do, choose

PICTURE = Artifact("a" * 64, 10, MediaInfo(Kind.IMAGE, "image/png", 640, 480))
CATALOGUE = Catalogue()
START = {Role.START: 1}


def need(
    key: str,
    task: Task,
    given: dict[Role, int] | None = None,
    *,
    pictures: int = 1,
    described: bool = True,
    still: str | None = "nano_banana_pro_edit",
    **params: Any,
) -> Need:
    mia = Reference("mia", (PICTURE,) * pictures, "a woman" if described else None)
    card = catalog.find(key, CATALOGUE, task)
    return Need(card, task, [mia], params, given or {}, catalog.load(still) if still else None)


I2V, T2V, T2I, I2I = Task.IMAGE_TO_VIDEO, Task.TEXT_TO_VIDEO, Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE


@pytest.mark.parametrize(
    ("wanted", "route"),
    [
        (need("kling_o1_ref", T2V), Route.SERVER),
        (need("seedance_1_lite", T2V), Route.SERVER),
        (need("flux_pulid", T2I), Route.SERVER),
        (need("nano_banana_pro_edit", T2I), Route.SERVER),
        (need("nano_banana_pro_edit", I2I, {Role.INPUT: 1}), Route.SERVER),
        (need("kling_3_pro", I2V, START), Route.SERVER),
        (need("draft", I2V, START), Route.SERVER),
        (need("diffusers:sdxl", T2I), Route.EMBEDDINGS),
        # the pictures exclude a start, so a still is made of it
        (need("seedance_1_lite", I2V, START), Route.KEYFRAME),
        (need("seedance_1_lite", T2V, resolution="1080p"), Route.KEYFRAME),
        (need("seedance_1_lite", T2V, pictures=5), Route.KEYFRAME),
        (need("veo_3_1_replicate", T2V, duration=4), Route.KEYFRAME),
        (need("kling_2_6_pro", I2V, START), Route.KEYFRAME),
        (need("kling_2_6_pro", T2V), Route.KEYFRAME),
        (need("kling_2_6_pro_t2v", T2V), Route.PROMPT),
        (need("kling_2_6_pro", I2V, START, still=None), Route.PROMPT),
        (need("kling_2_6_pro", I2V, START, still="flux_dev"), Route.PROMPT),
        (need("nano_banana_pro", T2I), Route.PROMPT),
    ],
)
def test_auto_takes_the_first_that_works(wanted: Need, route: Route) -> None:
    """Server, embeddings, keyframe, prompt: the first without an obstacle, with the reason said."""
    choice = choose(wanted, None, CATALOGUE)
    assert choice.route is route
    assert wanted.card.key in choice.why


def test_the_reason_names_what_stood_in_the_way() -> None:
    """A route further down says why none above it was taken."""
    why = choose(need("seedance_1_lite", T2V, resolution="1080p"), None, CATALOGUE).why
    assert "only with resolution 480p or 720p, not 1080p" in why
    assert "nano_banana_pro_edit" in why
    assert "last resort" in choose(need("kling_2_6_pro_t2v", T2V), None, CATALOGUE).why


@pytest.mark.parametrize("route", [Route.SERVER, Route.KEYFRAME, Route.PROMPT])
def test_a_route_that_works_can_be_asked_for(route: Route) -> None:
    """Whatever would be taken otherwise; of words alone it is said that they are the last resort."""
    why = "asked for: the last resort, words alone" if route is Route.PROMPT else "asked for"
    assert choose(need("seedance_1_lite", T2V), route, CATALOGUE) == Choice(route, why)


@pytest.mark.parametrize(
    ("wanted", "wish", "said", "hint"),
    [
        (need("kling_2_6_pro", I2V, START), Route.SERVER, "takes no reference pictures", "kling_3_pro"),
        (need("kling_2_6_pro", T2V), Route.SERVER, "takes no reference", "kling_o1_ref"),
        (need("kling_2_6_pro_t2v", T2V), Route.KEYFRAME, "no clip from a picture", "kling_2_6_pro"),
        (need("kling_2_6_pro", I2V, START), Route.EMBEDDINGS, "no vendor takes embeddings", "diffusers:sdxl"),
        (need("flux_dev", T2I), Route.KEYFRAME, "this step makes pictures", "route: prompt"),
        (
            need("seedance_1_lite", T2V, described=False),
            Route.PROMPT,
            "mia has no 'description'",
            "description",
        ),
        (need("seedance_1_lite", I2V, START), Route.SERVER, "beside a start picture", "minimax_video_01"),
        (need("fal:me/unknown", T2V), Route.SERVER, "nobody described fal:me/unknown", "kling_o1_ref"),
        (need("kling_o1_ref", T2V, pictures=8), Route.SERVER, "at most 7 reference pictures, not 8", "use"),
        (
            need("flux_pulid", T2I, pictures=2),
            Route.SERVER,
            "at most 1 reference picture, not 2",
            "nano_banana_edit",
        ),
        (need("nano_banana_pro", T2I, described=False), None, "no route keeps mia", "nano_banana_pro_edit"),
        (need("veo_3_1_ref", I2V, START, described=False), None, "no image_to_video", "kling_3_pro"),
    ],
)
def test_a_route_that_cannot_work_names_what_can(
    wanted: Need, wish: Route | None, said: str, hint: str
) -> None:
    """The obstacle in words, and models or routes to take instead."""
    with pytest.raises(NoRoute) as caught:
        choose(wanted, wish, CATALOGUE)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("route", [Route.SERVER, Route.KEYFRAME])
@pytest.mark.parametrize(("task", "given"), [(T2V, {}), (I2V, START), (T2I, {}), (I2I, {Role.INPUT: 1})])
def test_models_that_are_named_can_do_it(route: Route, task: Task, given: dict[Role, int]) -> None:
    """Every model of a hint takes that very route when it is tried."""
    wanted = need("kling_2_6_pro" if task.makes is Kind.VIDEO else "flux_dev", task, given)
    named = able(wanted, route, CATALOGUE)
    assert bool(named) is (route is Route.SERVER or task.makes is Kind.VIDEO)
    for key in named:
        assert can_do(catalog.load(key), task)
        assert choose(need(key, task, given), route, CATALOGUE).route is route


@pytest.mark.parametrize(
    ("field", "route"),
    [
        (Field("reference_image_urls", "array", items="string"), Route.SERVER),
        (Field("subject_image_url", "string"), Route.SERVER),
        (Field("image_url", "string"), Route.KEYFRAME),
        (Field("start_time", "string"), Route.PROMPT),
    ],
)
def test_a_published_schema_is_as_good_as_a_card(field: Field, route: Route) -> None:
    """An endpoint without a card takes the routes that its vendor's schema offers."""
    schema = LiveSchema(
        "fal", "me/clips", datetime(2026, 11, 21, tzinfo=UTC), (Field("prompt", "string"), field)
    )
    catalogue = Catalogue(None, lambda provider, endpoint: schema)
    card = catalog.find("fal:me/clips", catalogue, I2V if route is Route.KEYFRAME else T2V)
    mia = Reference("mia", (PICTURE,), "a woman")
    still = catalog.load("nano_banana_pro_edit")
    given = START if route is Route.KEYFRAME else {}
    wanted = Need(card, I2V if given else T2V, [mia], {}, given, still)
    assert choose(wanted, None, catalogue).route is route
