"""Wan on this machine: clips from words and from pictures, in every way that a model has."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image, ImageChops

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import ConfigurationError, NotAccepted
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.media.probe import verify

T2V, I2V, R2V = Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO, Task.REFERENCE_TO_VIDEO
QUICK: dict[str, Any] = {"num_inference_steps": 2, "num_frames": 5, "width": 48, "height": 32}
VACE, I2V_480, FLF = "wan2.1_vace_1.3b", "wan2.1_i2v_14b_480p", "wan2.1_flf2v_14b"


@pytest.fixture
def gpu(shared: Any) -> Any:
    """Nothing here looks into the models in memory."""
    return shared


def ramp(turn: int = 0, size: tuple[int, int] = (48, 32)) -> Image.Image:
    return Image.linear_gradient("L").rotate(turn).resize(size).convert("RGB")


def apart(one: list[Image.Image], other: list[Image.Image]) -> int:
    """The largest difference of two clips of one length, in levels of 255."""
    pairs = zip(one, other, strict=True)
    return max(high for a, b in pairs for _, high in ImageChops.difference(a, b).getextrema())


def roles(gpu: Any, mode: str) -> dict[Role, tuple[Artifact, ...]]:
    first, last = gpu.store(ramp(), "first.png"), gpu.store(ramp(180), "last.png")
    return {
        "none": {},
        "single": {Role.REFERENCE: (first,)},
        "start": {Role.START: (first,)},
        "end": {Role.END: (last,)},
        "both": {Role.START: (first,), Role.END: (last,)},
    }[mode]


@pytest.mark.parametrize(
    ("key", "mode", "task"),
    [
        ("wan2.1_t2v_1.3b", "none", T2V),
        (I2V_480, "start", I2V),
        ("wan2.1_i2v_14b_720p", "start", I2V),
        (FLF, "both", I2V),
        (VACE, "none", T2V),
        (VACE, "single", R2V),
        (VACE, "start", I2V),
        (VACE, "end", I2V),
        (VACE, "both", I2V),
        ("wan2.1_vace_14b", "both", I2V),
    ],
)
def test_every_mode_makes_a_clip(gpu: Any, key: str, mode: str, task: Task) -> None:
    """Each model makes a clip in each mode it has; each picture, and the seed, count."""
    given = roles(gpu, mode)
    status = gpu.make(key, task, "戀人在雨中跳舞 💃", inputs=given, **QUICK)
    path = status.outputs[0].path
    info = verify(path)
    assert (info.width, info.height, info.media_type) == (48, 32, "video/mp4")
    assert info.seconds == pytest.approx(5 / 16, abs=1e-3)  # the container counts milliseconds
    assert "5 frames at 16 a second: 0.3125 s" in status.notes
    first = gpu.frames(path)
    assert len(first) == 5
    assert apart(first, gpu.clip(key, task, "戀人在雨中跳舞 💃", inputs=given, **QUICK)) == 0
    if mode == "single":  # in so small a model a reference is felt, but no difference between two of them
        assert apart(first, gpu.clip(key, T2V, "戀人在雨中跳舞 💃", **QUICK)) > 0
    for role in {Role.START, Role.END} & set(given):
        other = {**given, role: (gpu.store(ramp(90), "other.png"),)}
        assert apart(first, gpu.clip(key, task, "戀人在雨中跳舞 💃", inputs=other, **QUICK)) > 0
    assert apart(first, gpu.clip(key, task, "戀人在雨中跳舞 💃", inputs=given, seed=2, **QUICK)) > 0


@pytest.mark.parametrize(
    ("key", "mode", "task"),
    [("wan2.1_t2v_1.3b", "none", T2V), (I2V_480, "start", I2V), (FLF, "both", I2V), (VACE, "start", I2V)],
)
def test_words_of_any_language_count(gpu: Any, key: str, mode: str, task: Task) -> None:
    """Texts reach the model in whatever script. (So small a model feels them at great guidance; letters that
    its vocabulary lacks are one to it.)"""
    how = {"inputs": roles(gpu, mode), "guidance_scale": 100, **QUICK}
    said = ("a dog in the rain", "Fluß, 2 Bäume", "戀人在雨中跳舞 💃")
    clips = [gpu.clip(key, task, words, **how) for words in said]
    assert all(apart(one, other) > 0 for one, other in combinations(clips, 2))


@pytest.mark.parametrize(
    ("key", "mode", "able"),
    [
        ("wan2.1_t2v_1.3b", "start", "wan2.1_i2v_14b_480p"),
        (I2V_480, "both", "wan2.1_flf2v_14b"),
        (I2V_480, "end", "wan2.1_vace_1.3b"),
        (I2V_480, "none", "wan2.1_t2v_1.3b"),
        (FLF, "start", "wan2.1_i2v_14b_480p"),
        (FLF, "single", "wan2.1_vace_1.3b"),
    ],
)
def test_a_mode_that_a_model_lacks_names_one_that_has_it(gpu: Any, key: str, mode: str, able: str) -> None:
    """Nothing is made of fewer pictures than were given."""
    with pytest.raises(NotAccepted, match=r"takes .* and was given") as refused:
        gpu.submit(key, I2V, inputs=roles(gpu, mode), **QUICK)
    assert refused.value.hint == f"for that use diffusers:{able}"


def test_the_shape_follows_the_picture(gpu: Any, tmp_path: Path) -> None:
    """The aspect ratio is the picture's at the model's area, in blocks of 16, and nothing is stretched."""
    from ai_content_pipeline.providers.local import wan
    from ai_content_pipeline.providers.local.asked import Asked

    def shape(width: int, height: int) -> tuple[int, int]:
        picture = gpu.store(ramp(size=(width, height)), "shape.png")
        wire = gpu.provider.wire(
            gpu.request(I2V_480, I2V, inputs={Role.START: (picture,)}),
            {Role.START: (gpu.provider.upload(picture, Path()),)},
            1,
        )
        asked = Asked.read(I2V_480, wire.payload)
        clip = wan.prepare(asked, gpu.models / I2V_480, "wan_i2v", 480 * 832, gpu.files.__getitem__)
        assert clip.first is not None
        assert clip.first.size == clip.size
        return clip.size

    assert shape(160, 90) == (832, 464)
    assert shape(90, 160) == (464, 832)
    assert shape(100, 100) == (624, 624)
    assert shape(120, 90) == (720, 544)
    assert shape(80, 100) == (560, 704)


def test_a_picture_is_cropped_and_never_stretched(gpu: Any) -> None:
    """A circle stays one: its sides are cut off where the clip is narrower than the picture."""
    from ai_content_pipeline.providers.local.fitting import cropped

    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (90, 0, 210, 100))
    assert cropped(image, (32, 32)).getextrema() == ((255, 255),) * 3


def test_strength_weighs_the_pictures_where_a_model_has_that(gpu: Any) -> None:
    """VACE's conditioning scale is 1 - denoise_strength, usually 0.85; others say that it has none."""
    given = roles(gpu, "start")
    usual = gpu.make(VACE, I2V, inputs=given, **QUICK)
    assert "denoise_strength 0.15: the pictures count 0.85" in usual.notes
    frames = gpu.frames(usual.outputs[0].path)
    assert apart(frames, gpu.clip(VACE, I2V, inputs=given, denoise_strength=0.15, **QUICK)) == 0
    assert apart(frames, gpu.clip(VACE, I2V, inputs=given, denoise_strength=1, **QUICK)) > 0
    old = gpu.make(VACE, I2V, inputs=given, reference_strength=0.85, **QUICK)
    assert apart(frames, gpu.frames(old.outputs[0].path)) == 0
    assert "reference_strength is deprecated: write 'denoise_strength: 0.15'" in old.notes
    status = gpu.make(I2V_480, I2V, inputs=given, denoise_strength=0.5, **QUICK)
    assert any(note.startswith("denoise_strength has no effect") for note in status.notes)


def test_the_file_is_what_browsers_play(gpu: Any) -> None:
    """H.264 in 4:2:0, tagged as BT.709, its index first, at the rate asked for."""
    status = gpu.make("wan2.1_t2v_1.3b", T2V, fps=8, **QUICK)
    path = status.outputs[0].path
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        context = stream.codec_context
        assert (context.name, context.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 8)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
        ) * 4
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert status.outputs[0].still is not None
    assert "5 frames at 8 a second: 0.625 s" in status.notes


@pytest.mark.parametrize("frames", [4, 6, 10, 82])
def test_frames_are_4k_and_1(gpu: Any, frames: int) -> None:
    """diffusers would silently round; the nearest numbers are named instead."""
    with pytest.raises(NotAccepted, match="num_frames") as refused:
        gpu.submit("wan2.1_t2v_1.3b", T2V, **{**QUICK, "num_frames": frames})
    assert frames < 5 or f"{frames - (frames - 1) % 4} or" in str(refused.value.hint)


def test_an_odd_size_is_cut_out_of_whole_blocks(gpu: Any) -> None:
    """The model works on blocks of 16; the clip has the size asked for (even, as 4:2:0 wants)."""
    assert gpu.clip("wan2.1_t2v_1.3b", T2V, **{**QUICK, "width": 50, "height": 38})[0].size == (50, 38)


def test_a_picture_is_not_asked_of_a_video_model(gpu: Any) -> None:
    """Nor is a clip of SDXL."""
    with pytest.raises(NotAccepted, match="makes clips, not text_to_image"):
        gpu.submit("wan2.1_t2v_1.3b", Task.TEXT_TO_IMAGE, **QUICK)
    with pytest.raises(NotAccepted, match="makes pictures, not text_to_video"):
        gpu.submit("sdxl", T2V)


# -- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"), [("AICP_DIFFUSERS_OFFLOAD", "some"), ("AICP_DIFFUSERS_DEVICE", "tpu")]
)
def test_a_setting_that_means_nothing_is_named(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong setting is a configuration error of the job that needs it."""
    monkeypatch.setattr(gpu, "provider", gpu.another(**{name: value}))
    status = gpu.end(gpu.submit("wan2.1_t2v_1.3b", T2V, **QUICK))
    assert f"{name} is {value!r}" in status.message
    assert status.reason.value == ConfigurationError.code
