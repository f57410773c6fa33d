"""What a request costs: examples typed by hand from the vendors' pages, and laws."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Pending, Role
from ai_content_pipeline.catalog import Card, Expected, Parameter
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.jobs import Json, Params, Task

#: model, parameters, files, dollars. Each group names the page its figures come from (second-hand, 2026-09
#: and 2026-11; the fal pages are fal.ai/models/<endpoint>, Replicate's replicate.com/<owner>/<name>).
BILLS: list[tuple[str, Params, int, str]] = [
    # fal.ai/models/fal-ai/nano-banana: $0.0398 an image
    ("nano_banana", {}, 1, "0.0398"),
    ("nano_banana", {"num_images": 4}, 4, "0.1592"),
    # fal.ai/models/fal-ai/nano-banana-pro: $0.15 at 1K and 2K, twice at 4K, web search $0.015 more
    ("nano_banana_pro", {}, 1, "0.15"),
    ("nano_banana_pro", {"aspect_ratio": "16:9", "resolution": "2K"}, 1, "0.15"),
    ("nano_banana_pro", {"resolution": "4K", "num_images": 2}, 2, "0.60"),
    ("nano_banana_pro", {"enable_web_search": True}, 1, "0.165"),
    ("nano_banana_pro", {"enable_web_search": False}, 1, "0.15"),
    ("nano_banana_pro", {"resolution": "4K", "enable_web_search": True}, 1, "0.315"),
    # fal.ai/models/fal-ai/nano-banana-pro/edit: the same
    ("nano_banana_pro_edit", {"resolution": "4K"}, 1, "0.30"),
    # fal.ai/models/fal-ai/nano-banana-2: 0.5K $0.06, 1K $0.08, 2K $0.12, 4K $0.16
    ("nano_banana_2", {}, 1, "0.08"),
    ("nano_banana_2", {"resolution": "0.5K"}, 1, "0.06"),
    ("nano_banana_2", {"resolution": "4K"}, 3, "0.48"),
    # fal.ai/models/fal-ai/flux/dev: $0.025 a megapixel, in whole ones; 1024 x 1024 is one
    ("flux_dev", {}, 1, "0.025"),
    ("flux_dev", {"image_size": "square_hd"}, 1, "0.025"),
    ("flux_dev", {"image_size": {"width": 1920, "height": 1080}}, 1, "0.050"),
    # fal.ai/models/fal-ai/flux/schnell: $0.003 a megapixel, rounded up
    ("flux_schnell", {"image_size": "landscape_16_9", "num_images": 4}, 4, "0.012"),
    # fal.ai/models/fal-ai/flux-pro/kontext: $0.04 an image
    ("flux_kontext_pro", {}, 1, "0.04"),
    # fal.ai/models/fal-ai/bytedance/seedream/v4/text-to-image: $0.03 an image
    ("seedream_4", {"max_images": 1}, 2, "0.06"),
    # fal.ai/models/fal-ai/kling-video/v2.1/standard/image-to-video: $0.25 for 5 s, $0.05 a second more
    ("kling_2_1_standard", {}, 1, "0.25"),
    ("kling_2_1_standard", {"duration": "10"}, 1, "0.50"),
    # fal.ai/models/fal-ai/kling-video/v2.5-turbo/pro/…: $0.35 for 5 s, $0.07 a second more
    ("kling_2_5_turbo_pro", {"duration": 10}, 1, "0.70"),
    ("kling_2_5_turbo_pro_t2v", {}, 1, "0.35"),
    # fal.ai/models/fal-ai/kling-video/v2.6/pro/…: $0.07 a second, $0.14 with sound, and sound is the default
    ("kling_2_6_pro", {"duration": "5"}, 1, "0.70"),
    ("kling_2_6_pro", {"duration": 10, "generate_audio": False}, 1, "0.70"),
    ("kling_2_6_pro", {"generate_audio": False}, 1, "0.35"),
    ("kling_2_6_pro_t2v", {"duration": 10}, 1, "1.40"),
    # fal.ai/models/fal-ai/kling-video/v3/pro/text-to-video: $0.112 a second, $0.168 with sound
    ("kling_3_pro_t2v", {"duration": "15", "generate_audio": False}, 1, "1.68"),
    ("kling_3_pro_t2v", {}, 1, "0.84"),
    # fal.ai/models/fal-ai/veo3.1…: $0.20 a second, $0.40 with sound; 4k $0.40 and $0.60
    ("veo_3_1", {}, 1, "3.20"),
    ("veo_3_1", {"duration": "4s", "generate_audio": False}, 1, "0.80"),
    ("veo_3_1_t2v", {"resolution": "4k"}, 1, "4.80"),
    ("veo_3_1_flf", {"duration": "6s", "resolution": "1080p"}, 1, "2.40"),
    ("veo_3_1_ref", {"resolution": "4k", "generate_audio": False}, 1, "3.20"),
    # fal.ai/models/fal-ai/veo3.1/fast/…: $0.10 and $0.15; 4k $0.30 and $0.35
    ("veo_3_1_fast", {"duration": "6s", "generate_audio": False}, 1, "0.60"),
    ("veo_3_1_fast_flf", {"resolution": "4k"}, 1, "2.80"),
    # fal.ai/models/fal-ai/veo3.1/lite/image-to-video: 720p $0.03 and $0.05, 1080p $0.05 and $0.08
    ("veo_3_1_lite", {"duration": "4s"}, 1, "0.20"),
    ("veo_3_1_lite", {"resolution": "1080p", "generate_audio": False}, 1, "0.40"),
    # fal.ai/models/fal-ai/wan-i2v: $0.20 a video at 480p, $0.40 at 720p, x1.25 above 81 frames
    ("wan_2_1", {}, 1, "0.40"),
    ("wan_2_1", {"resolution": "480p"}, 1, "0.20"),
    ("wan_2_1", {"num_frames": 100}, 1, "0.50"),
    ("wan_2_1_t2v", {"resolution": "480p", "num_frames": 82}, 1, "0.25"),
    # fal.ai/models/fal-ai/wan/v2.2-a14b/image-to-video/turbo: $0.05, $0.075, $0.10 a video
    ("wan_2_2_turbo", {"resolution": "580p"}, 1, "0.075"),
    # replicate.com/wan-video/wan-2.2-i2v-fast: $0.05 to $0.06 a 480p clip of 81 frames, $0.012 a second
    ("wan_2_2_fast", {"resolution": "480p"}, 1, "0.06"),
    ("wan_2_2_fast", {"resolution": "480p", "num_frames": 121}, 1, "0.0912"),
    # fal.ai/models/fal-ai/wan-25-preview/…: $0.05, $0.10, $0.15 a second
    ("wan_2_5", {}, 1, "0.75"),
    ("wan_2_5_t2v", {"resolution": "480p", "duration": 10}, 1, "0.50"),
    # fal.ai/models/fal-ai/wan/v2.7/image-to-video: $0.10 and $0.15 a second
    ("wan_2_7", {"resolution": "720p", "duration": "2"}, 1, "0.20"),
    # fal.ai/models/fal-ai/minimax/hailuo-02/…: standard $0.045 a second, pro $0.08
    ("hailuo_02_standard", {}, 1, "0.27"),
    ("hailuo_02_pro", {}, 1, "0.48"),
    # fal.ai/models/fal-ai/minimax/hailuo-2.3/standard/image-to-video: $0.28 for 6 s, $0.56 for 10 s
    ("hailuo_2_3_standard", {}, 1, "0.28"),
    ("hailuo_2_3_standard", {"duration": 10}, 1, "0.56"),
    # fal.ai/models/fal-ai/minimax/hailuo-2.3-fast/pro/image-to-video: $0.33 a video
    ("hailuo_2_3_fast_pro", {}, 1, "0.33"),
    # fal.ai/models/fal-ai/bytedance/seedance/v1/lite/text-to-video: $1.8 a million tokens of
    # width x height x frames / 1024; 1248 x 704 x 120 / 1024 = 102 960, the page's "$0.18 for 720p, 5 s"
    ("seedance_1_lite_fal_t2v", {}, 1, "0.185328"),
    # fal.ai/models/fal-ai/bytedance/seedance/v1/pro/fast/text-to-video: $1 a million tokens;
    # 1920 x 1088 x 120 / 1024 = 244 800, the page's "$0.245 for 1080p, 5 s"
    ("seedance_1_pro_fast_t2v", {}, 1, "0.2448"),
    ("seedance_1_pro_fast_t2v", {"resolution": "480p", "duration": "10"}, 1, "0.0972"),
    # replicate.com/bytedance/seedance-1-lite: $0.018, $0.036, $0.072 a second; 720p unless asked otherwise
    ("seedance_1_lite", {}, 1, "0.18"),
    ("seedance_1_lite", {"resolution": "1080p", "duration": 10}, 1, "0.72"),
    ("seedance_1_lite", {"resolution": "480p", "duration": "12"}, 1, "0.216"),
    # replicate.com/bytedance/seedance-1-pro: $0.03, $0.06, $0.15 a second
    ("seedance_1_pro", {"resolution": "480p"}, 1, "0.15"),
    # replicate.com/minimax/video-01: $0.50 a video
    ("minimax_video_01", {}, 1, "0.50"),
    # replicate.com/kwaivgi/kling-v2.1: $0.25 for 5 s in standard mode
    ("kling_2_1_replicate", {"mode": "standard", "duration": 5}, 1, "0.25"),
    # replicate.com/kwaivgi/kling-v2.6: $0.07 a second, $0.14 with sound
    ("kling_2_6_replicate", {"generate_audio": False, "duration": 5}, 1, "0.35"),
    # replicate.com/google/veo-3.1: $0.40 a second with sound
    ("veo_3_1_replicate", {"generate_audio": True, "duration": 8}, 1, "3.20"),
    # fal.ai/models/fal-ai/vidu/…: $0.20 for 4 s, with references $0.40
    ("vidu", {}, 1, "0.20"),
    ("vidu_ref", {}, 1, "0.40"),
    # fal.ai/models/fal-ai/vidu/q3/image-to-video: $0.07 a second to 540p, x2.2 above
    ("vidu_q3", {"resolution": "540p", "duration": 16}, 1, "1.12"),
    ("vidu_q3", {"resolution": "1080p", "duration": 4}, 1, "0.616"),
    # replicate.com/black-forest-labs/…: schnell $0.003, dev $0.025, 1.1 pro $0.04 an image
    ("flux_schnell_replicate", {"num_outputs": 4}, 4, "0.012"),
    ("flux_dev_replicate", {}, 1, "0.025"),
    ("flux_1_1_pro_replicate", {}, 1, "0.04"),
]

#: model, parameters, width and height of the input, dollars.
UPSCALES: list[tuple[str, Params, tuple[int, int], str]] = [
    # fal.ai/models/fal-ai/clarity-upscaler: $0.03 a megapixel
    ("clarity_upscaler", {}, (1000, 1000), "0.12"),
    # fal.ai/models/fal-ai/seedvr/upscale/image: $0.001 a megapixel
    ("seedvr_image", {"upscale_factor": 4}, (1000, 500), "0.008"),
    # fal.ai/models/fal-ai/topaz/upscale/image: $0.08 to 24 megapixels, $0.16 to 48, $0.32 to 96, $1.36 at 512
    ("topaz_image", {}, (3000, 2000), "0.08"),
    ("topaz_image", {}, (4000, 3000), "0.16"),
    ("topaz_image", {"upscale_factor": 4}, (3000, 2000), "0.32"),
    ("topaz_image", {"upscale_factor": 4}, (8000, 4000), "1.36"),
    # fal.ai/models/fal-ai/topaz/upscale/video: $0.01 a second to 720p, $0.02 to 1080p, $0.08 above; x2 at 60
    ("topaz_video", {"target_fps": 30}, (640, 360), "0.05"),
    ("topaz_video", {"target_fps": 60}, (640, 360), "0.10"),
    ("topaz_video", {"target_fps": 24}, (960, 540), "0.10"),
    ("topaz_video", {"target_fps": 24, "upscale_factor": 4}, (960, 540), "0.40"),
]


def cost(card: Card, params: Params, outputs: int = 1, **known: Pending) -> CostEstimate:
    """The estimate on the path that the plan takes: the shape first, then the price."""
    task = card.tasks[0]
    made = catalog.expected(card, task, params, {Role(role): (file,) for role, file in known.items()})
    return catalog.estimate(card, task, params, outputs, made)


def test_the_examples_cover_many_models() -> None:
    """At least 25 models have a bill typed by hand."""
    assert len({bill[0] for bill in (*BILLS, *UPSCALES)}) >= 25


@pytest.mark.parametrize(("key", "params", "outputs", "dollars"), BILLS)
def test_bills(key: str, params: Params, outputs: int, dollars: str) -> None:
    """The estimate equals the vendor's price list to the last digit, and is shown as second-hand."""
    estimate = cost(catalog.load(key), params, outputs)
    assert estimate == CostEstimate(Decimal(dollars), (), second_hand=True)
    assert str(estimate).startswith("~$")


@pytest.mark.parametrize(("key", "params", "size", "dollars"), UPSCALES)
def test_upscaling_bills(key: str, params: Params, size: tuple[int, int], dollars: str) -> None:
    """An upscale is priced by what comes out, which the input decides."""
    card = catalog.load(key)
    file = Pending("a/b", card.roles[Role.INPUT].takes, *size, seconds=5.0)
    assert cost(card, params, input=file).usd == Decimal(dollars)


@pytest.mark.parametrize(
    ("key", "params"),
    [
        ("seedance_1_5_pro", {}),  # no rate that can be trusted
        ("nano_banana_replicate", {}),  # unverified
        ("sdxl", {}),  # billed by machine time
        ("esrgan", {}),  # billed by machine time, with a known rate
        ("kling_2_6_pro", {"voice_ids": ["a"]}),  # voice control costs more, nobody says how much
        ("seedream_4", {"max_images": 4}),  # up to four times as many pictures
        ("nano_banana_2", {"enable_web_search": True}),
        ("wan_2_1_t2v", {"resolution": "580p"}),  # between two listed prices
        ("wan_2_2_fast", {"resolution": "720p"}),
        ("wan_2_2_fast", {}),  # the vendor's default resolution is not known
        ("veo_3_1_replicate", {"generate_audio": False, "duration": 8}),
        ("veo_3_1", {"resolution": "8k"}),
        ("flux_dev", {"image_size": "poster"}),
        ("clarity_upscaler", {}),  # an input of unknown size
    ],
)
def test_an_unknown_price_is_named_and_never_zero(key: str, params: Params) -> None:
    """What cannot be priced is listed by its key."""
    assert cost(catalog.load(key), params) == CostEstimate(unpriced=(key,))


@pytest.mark.parametrize("name", ["fal:someone/new-model", "replicate:someone/model"])
def test_a_model_without_a_card_has_no_price(name: str) -> None:
    """An open endpoint is unpriced under the name the user wrote."""
    card = catalog.resolve(name, Task.IMAGE_TO_VIDEO)
    assert cost(card, {}) == CostEstimate(unpriced=(name,))


def test_what_runs_here_is_free() -> None:
    """The draft renderer and local weights cost nothing, and that is known."""
    local = catalog.resolve("diffusers:sdxl", Task.TEXT_TO_IMAGE)
    for card in (catalog.DRAFT, local, catalog.stand_in(catalog.load("veo_3_1"), Task.IMAGE_TO_VIDEO)):
        estimate = cost(card, {}, 9)
        assert estimate == CostEstimate(Decimal(0))


@pytest.mark.parametrize(
    ("key", "params", "dollars"),
    [
        ("kling_2_6_replicate", {}, "1.40"),  # 10 s with sound: neither default is known
        ("kling_2_1_replicate", {}, "1.10"),  # 10 s in mode pro
        ("kling_2_5_turbo_pro", {"duration": "auto"}, "0.70"),  # at most 10 s
        ("seedance_1_pro", {}, "0.75"),  # 1080p is possible
        ("topaz_video", {}, "0.10"),  # the source may have 60 frames a second
        ("vidu_q3", {"duration": 0, "resolution": "360p"}, "1.12"),  # as long as the model goes
    ],
)
def test_what_is_unknown_counts_as_the_dearest(key: str, params: Params, dollars: str) -> None:
    """The estimate is an upper bound over everything the vendor may choose."""
    clip = Pending("a/b", Kind.VIDEO, 640, 360, 5.0)
    assert cost(catalog.load(key), params, input=clip).usd == Decimal(dollars)


def test_a_surcharge_on_something_unknown_applies() -> None:
    """Where neither user nor vendor says whether an extra is on, it is paid for."""
    card = catalog.load("nano_banana_pro")
    silent = dict(card.parameters or {}, enable_web_search=Parameter("boolean"))
    assert cost(replace(card, parameters=silent), {}).usd == Decimal("0.165")


def test_tokens_of_an_unknown_frame_are_bounded() -> None:
    """Where a reference decides the aspect ratio, the largest frame of that resolution is paid for."""
    card = catalog.load("seedance_1_lite_fal_ref")
    bound = cost(card, {}).usd
    ratios = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
    prices = {cost(card, {"aspect_ratio": ratio}).usd for ratio in ratios}
    assert bound == max(prices) > min(prices)


def test_text_and_number_cost_the_same() -> None:
    """``"10"`` and ``10`` are one value to the price, too."""
    for key in ("hailuo_2_3_standard", "kling_2_6_pro", "wan_2_7"):
        card = catalog.load(key)
        assert cost(card, {"duration": 10}) == cost(card, {"duration": "10"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -5, 10**400, [], {}, None, True, "5 minutes"])
def test_a_wild_value_is_bounded_or_unknown(value: Json) -> None:
    """Numbers that are none never make a price wrong: the longest counts, or nothing is known."""
    estimate = cost(catalog.load("kling_2_5_turbo_pro"), {"duration": value})
    assert estimate.usd == Decimal("0.70")
    frames = cost(catalog.load("wan_2_1"), {"num_frames": value})
    assert frames.usd in (Decimal("0.40"), Decimal("0.50"))


KEYS = catalog.keys()
PRICED = [key for key in KEYS if catalog.load(key).price]
made_up = st.builds(
    Expected,
    kind=st.sampled_from(Kind),
    width=st.none() | st.integers(1, 9000),
    height=st.none() | st.integers(1, 9000),
    seconds=st.none() | st.floats(0.1, 60),
)


@settings(deadline=None)
@given(st.sampled_from(PRICED), made_up, st.integers(1, 50), st.integers(0, 50))
def test_more_outputs_never_cost_less(key: str, made: Expected, outputs: int, more: int) -> None:
    """The estimate grows with the number of outputs, and is exactly linear where it is billed by output."""
    card = catalog.load(key)
    few = catalog.estimate(card, card.tasks[0], {}, outputs, made)
    many = catalog.estimate(card, card.tasks[0], {}, outputs + more, made)
    assert few.usd <= many.usd
    assert few.known == many.known
    with localcontext(prec=100):  # the products have more digits than Decimal keeps by itself
        assert many.usd * outputs == few.usd * (outputs + more)


@settings(deadline=None)
@given(st.sampled_from(PRICED), made_up)
def test_knowing_less_never_costs_less(key: str, made: Expected) -> None:
    """A length that the model offers never costs more than an unknown one."""
    card = catalog.load(key)
    duration = (card.parameters or {}).get("duration")
    offered = [value for value in (duration.enum if duration else ()) if value != "auto"]
    unknown = catalog.estimate(card, card.tasks[0], {}, 1, replace(made, seconds=None))
    for value in offered:
        known = replace(made, seconds=float(str(value).rstrip("s")))
        assert catalog.estimate(card, card.tasks[0], {}, 1, known).usd <= unknown.usd or not unknown.known
