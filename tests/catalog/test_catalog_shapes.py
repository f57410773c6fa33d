"""What an output will look like, before it exists."""

from __future__ import annotations

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Pending, Role
from ai_content_pipeline.catalog import Expected
from ai_content_pipeline.catalog.sizes import ratio_of
from ai_content_pipeline.jobs import Json, Params

PANEL = Pending("scenes/scene_1", Kind.IMAGE, 688, 384)
TALL = Artifact("0" * 64, 1, MediaInfo(Kind.IMAGE, "image/png", 768, 1376))
CLIP = Artifact("1" * 64, 1, MediaInfo(Kind.VIDEO, "video/mp4", 1280, 720, 5.0, 24.0))


def size(key: str, params: Params, **files: Pending | Artifact) -> tuple[int | None, int | None]:
    made = shape(key, params, **files)
    return made.width, made.height


def shape(key: str, params: Params, **files: Pending | Artifact) -> Expected:
    card = catalog.load(key)
    task = card.tasks[-1] if "start" in files or "input" in files else card.tasks[0]
    return catalog.expected(card, task, params, {Role(role): (file,) for role, file in files.items()})


@pytest.mark.parametrize(
    ("key", "params", "pixels"),
    [
        ("nano_banana_pro", {"aspect_ratio": "16:9"}, (1376, 768)),
        ("nano_banana_pro", {}, (1024, 1024)),
        ("nano_banana_pro", {"aspect_ratio": "16:9", "resolution": "2K"}, (2752, 1536)),
        ("nano_banana_pro", {"aspect_ratio": "9:16", "resolution": "4K"}, (3072, 5504)),
        ("nano_banana_pro", {"aspect_ratio": "3:2"}, (1264, 848)),
        ("nano_banana_pro", {"aspect_ratio": "auto"}, (None, None)),
        ("nano_banana_2", {"aspect_ratio": "1:8", "resolution": "0.5K"}, (192, 1536)),
        ("nano_banana", {"aspect_ratio": "16:9"}, (1344, 768)),
        ("flux_dev", {}, (1024, 768)),
        ("flux_dev", {"image_size": "portrait_16_9"}, (576, 1024)),
        ("flux_dev", {"image_size": {"width": 1280, "height": 720}}, (1280, 720)),
        ("flux_dev", {"image_size": {"width": -1, "height": 720}}, (None, None)),
        ("flux_dev", {"image_size": "poster"}, (None, None)),
        ("flux_schnell_replicate", {"aspect_ratio": "16:9", "megapixels": "1"}, (1344, 768)),
        ("flux_schnell_replicate", {"aspect_ratio": "16:9", "megapixels": "0.25"}, (672, 384)),
        ("flux_1_1_pro_replicate", {"aspect_ratio": "custom", "width": 640, "height": 512}, (640, 512)),
        ("flux_1_1_pro_replicate", {"aspect_ratio": "1:1", "width": 640, "height": 512}, (1024, 1024)),
        ("seedream_4", {"image_size": "square"}, (None, None)),
        ("seedream_4", {"image_size": {"width": 2048, "height": 1024}}, (2048, 1024)),
        ("sdxl", {}, (1024, 1024)),
        ("sdxl", {"width": "768"}, (768, 1024)),
        ("runway_gen4_image", {"aspect_ratio": "4:3", "resolution": "720p"}, (960, 720)),
    ],
)
def test_pictures(key: str, params: Params, pixels: tuple[int | None, int | None]) -> None:
    """Aspect ratio and resolution, presets and explicit sizes give pixels, or nothing where nobody knows."""
    assert size(key, params) == pixels


@pytest.mark.parametrize(
    ("key", "params", "pixels", "seconds"),
    [
        ("kling_2_6_pro_t2v", {}, (1920, 1080), 5.0),
        ("kling_2_6_pro_t2v", {"aspect_ratio": "1:1", "duration": 10}, (1440, 1440), 10.0),
        ("veo_3_1_t2v", {"aspect_ratio": "9:16", "resolution": "4k", "duration": "4s"}, (2160, 3840), 4.0),
        ("seedance_1_lite", {}, (1248, 704), 5.0),
        ("seedance_1_lite", {"aspect_ratio": "9:21", "resolution": "480p"}, (416, 960), 5.0),
        ("seedance_1_pro_fast_t2v", {"num_frames": 48}, (1920, 1088), 2.0),
        ("seedance_1_pro_fast_t2v", {"num_frames": 48, "duration": "10"}, (1920, 1088), 2.0),
        ("wan_2_1_t2v", {}, (1280, 720), 5.0625),
        ("wan_2_1_t2v", {"num_frames": 96, "frames_per_second": 24, "resolution": "480p"}, (832, 480), 4.0),
        ("hailuo_02_standard_t2v", {}, (1366, 768), 6.0),
        ("minimax_video_01", {}, (1280, 720), 6.0),
        ("vidu_ref", {}, (None, None), 4.0),
        ("seedance_2_ref", {"aspect_ratio": "16:9"}, (1280, 720), None),
        ("kling_2_6_replicate", {}, (None, None), None),
    ],
)
def test_clips(
    key: str, params: Params, pixels: tuple[int | None, int | None], seconds: float | None
) -> None:
    """A clip's length comes from ``"5"``, ``5``, ``"5s"`` or frames; ``auto`` is unknown."""
    made = shape(key, params)
    assert (made.kind, (made.width, made.height), made.seconds) == (Kind.VIDEO, pixels, seconds)


@pytest.mark.parametrize(
    ("key", "params", "file", "pixels"),
    [
        ("kling_2_6_pro", {}, PANEL, (1928, 1076)),  # the picture's aspect ratio, as many pixels as 1080p
        ("kling_2_1_standard", {}, TALL, (718, 1284)),
        ("kling_2_1_replicate", {"mode": "pro"}, PANEL, (1928, 1076)),
        ("kling_2_1_replicate", {}, PANEL, (None, None)),
        ("veo_3_1", {}, PANEL, (1280, 720)),  # cropped to the nearest of 16:9 and 9:16
        ("veo_3_1", {}, TALL, (720, 1280)),
        ("veo_3_1", {"aspect_ratio": "16:9"}, TALL, (1280, 720)),
        ("seedance_1_lite", {"aspect_ratio": "16:9"}, TALL, (704, 1248)),  # the parameter is ignored
        ("seedance_1_pro_fast", {}, PANEL, (1920, 1088)),
        ("seedance_1_5_pro", {}, TALL, (1280, 720)),  # the parameter's default is 16:9, not auto
        ("hailuo_02_pro", {}, PANEL, (1936, 1080)),
        ("kling_2_6_pro", {}, Pending("a/b", Kind.IMAGE), (None, None)),
    ],
)
def test_clips_from_pictures(
    key: str, params: Params, file: Pending | Artifact, pixels: tuple[int | None, int | None]
) -> None:
    """A start picture decides the aspect ratio wherever the vendor lets it."""
    assert size(key, params, start=file) == pixels


def test_edits_follow_their_picture() -> None:
    """An edit takes the nearest aspect ratio of its picture, unless one is asked for."""
    assert size("nano_banana_pro_edit", {}, input=PANEL) == (1376, 768)
    assert size("nano_banana_pro_edit", {"aspect_ratio": "1:1"}, input=PANEL) == (1024, 1024)
    assert size("flux_kontext_pro", {}, input=TALL) == (752, 1392)
    assert size("sdxl", {"width": 512}, input=TALL) == (None, None)


@pytest.mark.parametrize(
    ("key", "params", "file", "expected"),
    [
        ("clarity_upscaler", {}, PANEL, Expected(Kind.IMAGE, 1376, 768)),
        ("esrgan", {"scale": 4}, PANEL, Expected(Kind.IMAGE, 2752, 1536)),
        ("seedvr_image", {"upscale_mode": "target"}, PANEL, Expected(Kind.IMAGE, 1936, 1080)),
        (
            "seedvr_image",
            {"upscale_mode": "target", "target_resolution": "2160p"},
            TALL,
            Expected(Kind.IMAGE, 2160, 3870),
        ),
        ("topaz_video", {"upscale_factor": 1.5}, CLIP, Expected(Kind.VIDEO, 1920, 1080, 5.0)),
        ("recraft_crisp", {}, PANEL, Expected(Kind.IMAGE)),
        ("topaz_image", {"upscale_factor": 10**9}, PANEL, Expected(Kind.IMAGE)),
    ],
)
def test_upscales(key: str, params: Params, file: Pending | Artifact, expected: Expected) -> None:
    """An upscale keeps kind and length, and multiplies or targets the size."""
    assert shape(key, params, input=file) == expected


def test_an_upscale_without_its_input_knows_its_kind() -> None:
    """What the model takes is what it makes."""
    assert shape("topaz_video", {}) == Expected(Kind.VIDEO)
    assert shape("topaz_image", {}) == Expected(Kind.IMAGE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 0, 10**400, True, "1e9", "5 s", [], None])
def test_wild_lengths_are_unknown(value: Json) -> None:
    """What is no length is none, without an error."""
    assert shape("kling_2_6_pro_t2v", {"duration": value}).seconds is None


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("16:9", (16, 9)),
        ("auto", None),
        ("0:1", None),
        ("1:0", None),
        ("1:", None),
        ("١:١", None),
        ("2.35:1", None),
    ],
)
def test_aspect_ratios(text: str, ratio: tuple[int, int] | None) -> None:
    """Two whole numbers above zero make an aspect ratio; words do not."""
    assert ratio_of(text) == ratio
