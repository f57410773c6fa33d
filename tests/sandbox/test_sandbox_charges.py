"""Who pays for what: the table of prices and the table of charges."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.sandbox import Clock, Settings
from ai_content_pipeline.sandbox import actions as act
from ai_content_pipeline.sandbox.accept import accept
from ai_content_pipeline.sandbox.media import Media, draw_plain, measured
from ai_content_pipeline.sandbox.prices import price
from ai_content_pipeline.sandbox.quantities import Source
from ai_content_pipeline.sandbox.state import State

KLING = "fal-ai/kling-video/v2.6/pro/image-to-video"


@pytest.mark.parametrize(
    ("endpoint", "payload", "usd", "units"),
    [
        ("fal-ai/nano-banana-pro", {}, "0.15", "1"),
        ("fal-ai/nano-banana-pro", {"num_images": 4}, "0.60", "4"),
        ("fal-ai/nano-banana-pro", {"resolution": "4K"}, "0.30", "2"),
        ("fal-ai/flux/dev", {}, "0.025", "1"),
        ("fal-ai/flux/dev", {"image_size": "square_hd", "num_images": 3}, "0.075", "3"),
        ("fal-ai/flux/dev", {"image_size": {"width": 1024, "height": 1025}}, "0.050", "2"),
        ("fal-ai/flux/schnell", {"image_size": {"width": 64, "height": 64}}, "0.003", "1"),
        (KLING, {"duration": "5"}, "0.70", "10"),
        (KLING, {"duration": "10", "generate_audio": False}, "0.70", "10"),
        (KLING, {"duration": "5", "generate_audio": False}, "0.35", "5"),
        ("fal-ai/nano-banana-pro", {"resolution": "4K", "enable_web_search": True}, "0.315", "2.1"),
        ("fal-ai/veo3.1/image-to-video", {}, "3.20", "16"),
        ("fal-ai/veo3.1/image-to-video", {"duration": "4s", "resolution": "4k"}, "2.40", "12"),
        ("fal-ai/veo3.1/lite/image-to-video", {"generate_audio": False, "resolution": "8k"}, "0.24", "8"),
        ("fal-ai/wan-i2v", {"resolution": "480p", "num_frames": 100}, "0.25", "1.25"),
        ("fal-ai/minimax/hailuo-2.3/standard/image-to-video", {"duration": "10"}, "0.56", "2"),
        ("fal-ai/bytedance/seedance/v1/pro/fast/text-to-video", {"aspect_ratio": "9:16"}, "0.2448", "0.2448"),
        ("fal-ai/bytedance/seedance/v1/pro/fast/text-to-video", {"resolution": 7}, "0.2448", "0.2448"),
        ("google/nano-banana", {}, "0.039", "1"),
        ("google/nano-banana-pro", {"resolution": "2K"}, "0.15", "1"),
        ("google/nano-banana-pro", {"resolution": "4K"}, "0.30", "2"),
        ("bytedance/seedance-1-lite", {"duration": 10, "resolution": "480p"}, "0.18", "5"),
        ("bytedance/seedance-1-lite", {"duration": 5}, "0.18", "5"),
        ("bytedance/seedance-1-lite", {"duration": 5, "resolution": "1080p"}, "0.36", "10"),
        ("me/pictures", {"num_outputs": 2}, "0.10", "2"),
        ("me/video", {"duration": 3}, "0.30", "3"),
    ],
)
def test_prices(endpoint: str, payload: dict[str, object], usd: str, units: str) -> None:
    """The sandbox's own table, in dollars and in the units that fal reports."""
    found = price(endpoint, payload)
    assert (found.usd, found.units) == (Decimal(usd), Decimal(units))


@pytest.mark.parametrize(
    ("endpoint", "payload", "source", "usd"),
    [
        ("fal-ai/clarity-upscaler", {}, Source(1000, 1000), "0.12"),
        ("fal-ai/clarity-upscaler", {"upscale_factor": 1}, Source(1000, 1000), "0.03"),
        ("fal-ai/clarity-upscaler", {"upscale_factor": "huge"}, Source(1000, 1000), "0.12"),
        ("fal-ai/topaz/upscale/image", {}, Source(3000, 2000), "0.08"),
        ("fal-ai/topaz/upscale/image", {"upscale_factor": 4}, Source(8000, 4000), "1.36"),
        ("fal-ai/topaz/upscale/video", {"target_fps": 30}, Source(640, 360, 5.0), "0.05"),
        ("fal-ai/topaz/upscale/video", {"upscale_factor": 4}, Source(960, 540, 2.0), "0.32"),
        ("fal-ai/bytedance/seedance/v1/lite/image-to-video", {}, Source(960, 960), "0.1944"),
        ("fal-ai/bytedance/seedance/v1/lite/image-to-video", {}, Source(900, 1600), "0.185328"),
    ],
)
def test_prices_that_depend_on_the_input(
    endpoint: str, payload: dict[str, object], source: Source, usd: str
) -> None:
    """What is billed by the size or length of an input is told by the first file."""
    assert price(endpoint, payload, source).usd == Decimal(usd)


def test_inputs_are_measured() -> None:
    """A picture has a size, a clip a length besides, and what is neither has none."""
    clip = Media(Kind.VIDEO, "x", 64, 32, 2.0, 5, 1)
    picture = Media(Kind.IMAGE, "x", 64, 32, 0.0, 0, 1)
    for media, seconds in ((clip, 2.0), (picture, 0.0)):
        assert measured(media) == measured(draw_plain(media)) == Source(64, 32, seconds)
    assert measured(b"https://elsewhere.test/a.png") is None


class Ticks:
    """A clock's source that a test sets."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


outcomes = st.sampled_from(
    [
        (),
        (act.Reject(),),
        (act.Reject(billed=True),),
        (act.Fail(billed=True),),
        (act.Aborted(),),
        (act.Stuck(),),
        (act.Gone(),),
    ]
)


@given(st.lists(st.tuples(outcomes, st.floats(0, 50)), max_size=8), st.floats(0, 200))
def test_a_job_is_charged_once_when_it_ends_and_only_if_it_cost(
    plan: list[tuple[tuple[act.AnyAction, ...], float]], wait: float
) -> None:
    """At any moment: a row for every job that has ended, in the order of ending; never two for one."""
    ticks = Ticks()
    state = State(Settings(image_seconds=60, look="plain"), Clock(ticks))
    ends = {}
    for actions, pause in plan:
        job = accept(state, "fal", "fal-ai/nano-banana-pro", {"prompt": "x"}, actions, host="127.0.0.1:1")
        ends[job.id] = (job.ended, actions)
        ticks.now += pause
    ticks.now += wait
    rows = state.charges()
    assert {row.job for row in rows} == {job for job, (ended, _) in ends.items() if ended <= ticks.now}
    assert len(rows) == len({row.job for row in rows})
    assert [row.time for row in rows] == sorted(row.time for row in rows)
    for row in rows:
        actions = ends[row.job][1]
        free = actions in ((act.Reject(),), (act.Aborted(),))
        assert row.billed is not free
        assert row.usd == (0 if free else Decimal("0.15"))
