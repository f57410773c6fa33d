"""Pictures of every odd kind go through as they look, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Role
from ai_content_pipeline.errors import BadMedia, NotAccepted
from ai_content_pipeline.jobs import Task

RED, GREY = (250, 10, 10), (128, 128, 128)


@pytest.fixture
def gpu(shared: Any) -> Any:
    """Nothing here looks into the models in memory."""
    return shared


def plain(mode: str, colour: Any, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new(mode, size, colour)


def cmyk(path: Path) -> None:
    plain("RGB", RED).convert("CMYK").save(path.with_suffix(".jpg"), quality=95)


def deep(path: Path) -> None:
    plain("I;16", 128 * 257).save(path)


def palette(path: Path) -> None:
    image = plain("P", 1)
    image.putpalette([0, 0, 0, *RED] + [0] * 762)
    image.save(path, transparency=0)


def turned(path: Path) -> None:
    """Red above black once it is turned upright."""
    image = plain("RGB", "black", (48, 64))
    image.paste(RED, (0, 0, 24, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path.with_suffix(".jpg"), exif=exif, quality=95)


def animated(path: Path) -> None:
    frames = [plain("RGB", RED), plain("RGB", "blue")]
    frames[0].save(path.with_suffix(".webp"), save_all=True, append_images=frames[1:], lossless=True)


def apng(path: Path) -> None:
    plain("RGB", RED).save(path, save_all=True, append_images=[plain("RGB", "blue")])


GOOD: dict[str, tuple[Callable[[Path], object], tuple[int, int, int]]] = {
    "plain": (lambda path: plain("RGB", RED).save(path), RED),
    "grey": (lambda path: plain("L", 128).save(path), GREY),
    "grey with alpha": (lambda path: plain("LA", (128, 255)).save(path), GREY),
    "black and white": (lambda path: plain("1", 1).save(path), (255, 255, 255)),
    "transparent": (lambda path: plain("RGBA", (0, 0, 0, 0)).save(path), (255, 255, 255)),
    "sixteen bits": (deep, GREY),
    "palette with alpha": (palette, RED),
    "four inks": (cmyk, RED),
    "turned by EXIF": (turned, RED),
    "animated WEBP": (animated, RED),
    "animated PNG": (apng, RED),
    "progressive": (lambda path: plain("RGB", RED).save(path.with_suffix(".jpg"), progressive=True), RED),
}


def stored(gpu: Any, folder: Path, write: Callable[[Path], object]) -> Artifact:
    write(folder / "odd.png")
    (path,) = folder.glob("odd.*")
    return gpu.keep(path)


def close(one: Any, other: tuple[int, int, int]) -> bool:
    return all(abs(a - b) <= 8 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_picture_is_seen_as_it_looks(gpu: Any, tmp_path: Path, still: Any, name: str) -> None:
    """Its colours and its upper side arrive at both models; at strength 0 it comes out again."""
    write, colour = GOOD[name]
    picture = stored(gpu, tmp_path, write)
    how = {"inputs": {Role.INPUT: (picture,)}, "denoise_strength": 0}
    copy = still(gpu.make("sdxl", Task.IMAGE_TO_IMAGE, **how))
    assert copy.mode == "RGB"
    assert copy.size == (64, 48)
    assert close(copy.getpixel((32, 12)), colour)
    assert name != "turned by EXIF" or close(copy.getpixel((32, 40)), (0, 0, 0))
    small = {"width": 32, "height": 32, "num_inference_steps": 1}
    gpu.make("sdxl", Task.IMAGE_TO_IMAGE, inputs={Role.INPUT: (picture,)}, denoise_strength=1, **small)
    key = "wan2.1_i2v_14b_480p"
    how = {"inputs": {Role.START: (picture,)}, "num_frames": 5, **small}
    handle = gpu.submit(key, Task.IMAGE_TO_VIDEO, **how)
    ticket = gpu.provider._tickets[handle.request_id]
    assert ticket.work.first.mode == "RGB"
    assert close(ticket.work.first.getpixel((16, 8)), colour)
    assert gpu.end(handle).outputs


def sized(width: int, height: int) -> Callable[[Path], object]:
    return lambda path: plain("RGB", RED, (width, height)).save(path)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "one pixel wide": (sized(1, 400), "the picture is 1x400 pixels; at least 8 a side are needed"),
    "one pixel": (sized(1, 1), "the picture is 1x1 pixels; at least 8 a side are needed"),
    "a ribbon": (sized(900, 20), "the picture is 900x20 pixels; shapes up to 4:1 are followed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_without_a_shape_is_refused_by_name(gpu: Any, tmp_path: Path, name: str) -> None:
    """Nothing is queued, and the error says what the picture is."""
    write, words = REFUSED[name]
    picture = stored(gpu, tmp_path, write)
    for key, task, role in (
        ("sdxl", Task.IMAGE_TO_IMAGE, Role.INPUT),
        ("wan2.1_i2v_14b_480p", Task.IMAGE_TO_VIDEO, Role.START),
    ):
        with pytest.raises(NotAccepted, match=words) as refused:
            gpu.submit(key, task, inputs={role: (picture,)})
        assert isinstance(refused.value.cause, BadMedia)


def test_a_ribbon_is_cropped_where_a_size_is_asked_for(gpu: Any, tmp_path: Path) -> None:
    """Its middle has the shape wanted."""
    picture = stored(gpu, tmp_path, sized(900, 20))
    how = {"inputs": {Role.INPUT: (picture,)}, "width": 32, "height": 32, "num_inference_steps": 2}
    assert gpu.picture("sdxl", Task.IMAGE_TO_IMAGE, **how).size == (32, 32)


@pytest.mark.parametrize("what", ["cut short", "no picture"])
def test_a_damaged_file_is_refused(gpu: Any, tmp_path: Path, what: str) -> None:
    """A stored file that does not decode never reaches a model."""
    path = tmp_path / "damaged.png"
    plain("RGB", RED).resize((300, 300)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if what == "cut short" else b"<html>not found</html>")
    gpu.files["ab" * 32] = path
    artifact = Artifact("ab" * 32, 1, MediaInfo(Kind.IMAGE, "image/png", 300, 300))
    with pytest.raises(NotAccepted) as refused:
        gpu.submit("sdxl", Task.IMAGE_TO_IMAGE, inputs={Role.INPUT: (artifact,)})
    assert isinstance(refused.value.cause, BadMedia)
