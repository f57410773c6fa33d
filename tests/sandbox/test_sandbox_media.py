"""What jobs return: real media that depend on what was asked and on nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest
from fal_client import SyncClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.media.video import probe_video, verify_video
from ai_content_pipeline.sandbox import Sandbox, Settings
from ai_content_pipeline.sandbox.media import (
    Media,
    Renderer,
    as_bytes,
    data_uri,
    draw_draft,
    draw_plain,
    measured,
    size_of,
)
from ai_content_pipeline.sandbox.models import kind_of, seconds_asked

STILL = Media(Kind.IMAGE, "a lighthouse", 64, 36, 0.0, 0, 1)
CLIP = Media(Kind.VIDEO, "slow zoom in", 64, 36, 2.0, 4, 1)
KEYS = catalog.keys()
RED = as_bytes(Image.new("RGB", (64, 36), (200, 0, 0)), "PNG")


@pytest.mark.parametrize("draw", [draw_draft, draw_plain])
@pytest.mark.parametrize("media", [STILL, CLIP])
def test_equal_jobs_give_equal_files_and_any_difference_shows(draw: object, media: Media) -> None:
    """Prompt, seed, size and input bytes each change the file; nothing else does."""
    import dataclasses

    assert callable(draw)
    changes: list[dict[str, object]] = [
        {},
        {"prompt": "a train at night, pan left"},
        {"seed": 2},
        {"inputs": (RED,)},
        {"inputs": (STILL,)},
        {"height": 48},
    ]
    variants = [dataclasses.replace(media, **change) for change in changes]
    files = [draw(variant) for variant in variants]
    assert len(set(files)) == len(files)
    assert draw(dataclasses.replace(media)) == files[0]


def test_a_clip_has_the_asked_length(tmp_path: Path) -> None:
    """True duration, at few frames and few pixels; every frame decodes."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(draw_draft(CLIP))
    info = verify_video(path)
    assert (info.width, info.height, info.seconds, info.fps) == (64, 36, 2.0, 4.0)


def test_a_clip_starts_from_its_picture(tmp_path: Path) -> None:
    """The start image's colour is what the clip shows."""
    from ai_content_pipeline.artifacts import Frame
    from ai_content_pipeline.media.video import frame

    path = tmp_path / "clip.mp4"
    path.write_bytes(draw_draft(Media(Kind.VIDEO, "static shot", 64, 36, 1.0, 4, 0, (RED,))))
    red, green, blue = frame(path, Frame.FIRST).getpixel((32, 18))
    assert red > 150
    assert max(green, blue) < 60


@pytest.mark.parametrize("source", [b"", b"no picture", RED[:60], b"https://example.com/a.png", CLIP])
def test_an_input_that_is_no_picture_still_gives_media(source: bytes | Media) -> None:
    """Damaged files, addresses elsewhere and clips as inputs draw from the prompt."""
    assert draw_draft(Media(Kind.IMAGE, "x", 64, 64, 0.0, 0, 0, (source,))).startswith(b"\x89PNG")
    assert draw_draft(Media(Kind.VIDEO, "x", 64, 64, 0.5, 4, 0, (source,)))[4:8] == b"ftyp"


def test_a_board_too_small_for_its_panels_is_one_colour() -> None:
    """Rather than an error that no vendor would give."""
    assert draw_draft(Media(Kind.IMAGE, "a 16x16 grid of panels", 16, 8, 0.0, 0, 0)).startswith(b"\x89PNG")


def test_the_same_file_is_drawn_once() -> None:
    """320 equal jobs cost one drawing."""
    renderer = Renderer("plain")
    assert len({id(renderer.start(Media(Kind.IMAGE, "x", 16, 16, 0.0, 0, 0))) for _ in range(320)}) == 1
    renderer.close()


def test_real_looking_media_over_the_wire(tmp_path: Path, client: httpx.Client) -> None:
    """The default look: a board whose panels differ, a clip of the true duration."""
    settings = Settings(image_seconds=0.0, video_seconds=0.0, image_px=256)
    with Sandbox(settings) as sandbox:
        headers = {"Authorization": f"Key {settings.fal_key}"}

        def run(endpoint: str, payload: dict[str, object]) -> dict[str, object]:
            answer = client.post(f"{sandbox.url}/fal.run/{endpoint}", json=payload, headers=headers)
            result: dict[str, object] = answer.json()
            return result

        prompt = "A 2x2 grid. Panel 1: a cafe. Panel 2: a forest. Panel 3: a beach. Panel 4: a street"
        (board,) = run("fal-ai/nano-banana-pro", {"prompt": prompt, "aspect_ratio": "16:9"})["images"]
        picture = tmp_path / "board.png"
        picture.write_bytes(client.get(board["url"]).content)
        with Image.open(picture) as image:
            assert image.size == (256, 144) == (board["width"], board["height"])
            tiles = {image.crop((x, y, x + 128, y + 72)).tobytes() for x in (0, 128) for y in (0, 72)}
        assert len(tiles) == 4
        payload: dict[str, object] = {"prompt": "pan", "start_image_url": board["url"], "duration": "10"}
        video = run("fal-ai/kling-video/v2.6/pro/image-to-video", payload)["video"]
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(client.get(video["url"]).content)
        info = probe_video(clip)
        assert (info.width, info.height, info.seconds) == (256, 144, 10.0)


def test_outputs_of_one_job_differ(sandbox: Sandbox, fal: SyncClient, client: httpx.Client) -> None:
    """Four pictures of one request are four pictures."""
    payload = {"prompt": "x", "num_images": 4, "seed": 5}
    images = fal.subscribe("fal-ai/nano-banana-pro", payload, interval=0.005)["images"]
    assert len({client.get(image["url"]).content for image in images}) == 4


@given(
    payload=st.fixed_dictionaries(
        {},
        optional={
            "aspect_ratio": st.one_of(
                st.text(max_size=8), st.sampled_from(["16:9", "1:1", "9:21", "auto", "0:0"])
            ),
            "image_size": st.one_of(
                st.sampled_from(["square_hd", "portrait_16_9"]),
                st.fixed_dictionaries({"width": st.integers(-5, 5000), "height": st.integers(-5, 5000)}),
            ),
        },
    ),
    kind=st.sampled_from(Kind),
    longest=st.integers(16, 2000),
)
def test_sizes_are_even_and_bounded(payload: dict[str, object], kind: Kind, longest: int) -> None:
    """Whatever is asked, the size can be encoded and stays within the setting."""
    width, height = size_of(payload, kind, None, longest)
    assert width % 2 == height % 2 == 0
    assert min(width, height) >= 16
    assert max(width, height) <= longest + 1


@pytest.mark.parametrize(
    ("payload", "source", "size"),
    [
        ({"aspect_ratio": "9:16"}, RED, (36, 64)),
        ({"aspect_ratio": "auto"}, RED, (64, 36)),
        ({"image_size": {"width": 2000, "height": 1000}}, None, (64, 32)),
        ({}, STILL, (64, 36)),
        ({}, b"damaged", (64, 64)),
    ],
)
def test_the_aspect_is_the_asked_one_or_the_inputs(
    payload: dict[str, object], source: bytes | Media | None, size: tuple[int, int]
) -> None:
    """In that order; else the kind's usual."""
    assert size_of(payload, Kind.IMAGE, measured(source) if source else None, 64) == size


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        ("fal-ai/nano-banana-pro", Kind.IMAGE),
        ("fal-ai/kling-video/v2.6/pro/image-to-video", Kind.VIDEO),
        ("fal-ai/veo3/fast", Kind.VIDEO),
        ("fal-ai/veo3.1", Kind.VIDEO),
        ("fal-ai/wan/v2.2-a14b/text-to-image", Kind.IMAGE),
        ("fal-ai/wan/v2.2-a14b/image-to-video", Kind.VIDEO),
        ("bytedance/seedance-1-lite", Kind.VIDEO),
        ("bytedance/seedream-4", Kind.IMAGE),
        ("minimax/hailuo-02", Kind.VIDEO),
        ("fal-ai/flux-pro/kontext", Kind.IMAGE),
        ("taiwan/pictures", Kind.IMAGE),
        ("kwaivgi/kling_v2.1", Kind.VIDEO),
        ("fal-ai/topaz/upscale/video", Kind.VIDEO),
        ("fal-ai/topaz/upscale/image", Kind.IMAGE),
    ],
)
def test_the_endpoint_tells_the_kind(endpoint: str, kind: Kind) -> None:
    """By its words, not by pieces of them."""
    assert kind_of(endpoint) is kind


@pytest.mark.parametrize(("task", "model"), [(task, key) for key in KEYS for task in catalog.load(key).tasks])
def test_every_model_of_the_catalogue_makes_its_kind(task: Task, model: str) -> None:
    """A picture for an edit, a clip for a clip: also where the endpoint's name is no help."""
    card = catalog.load(model)
    made = card.roles[Role.INPUT].takes if task is Task.UPSCALE else task.makes
    assert kind_of(card.endpoint) is made


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.lists(st.integers())))
def test_a_duration_is_bounded(value: object) -> None:
    """Half a second to a minute, whatever was sent."""
    assert 0.5 <= seconds_asked({"duration": value}) <= 60


@given(st.binary())
def test_data_uris_are_read(data: bytes) -> None:
    """And other text is none."""
    assert data_uri(f"data:image/png;base64,{base64.b64encode(data).decode()}") == data
    assert data_uri("https://example.com/;base64,AAAA") is None
    assert data_uri("data:image/png;base64,*") is None
