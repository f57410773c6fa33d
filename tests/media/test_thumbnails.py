"""Thumbnails are small, in proportion, upright, and hold nothing but pixels."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.images import probe_image
from ai_content_pipeline.media.thumbnails import Format, save_thumbnail, thumbnail, thumbnail_file

FORMATS: list[Format] = ["webp", "jpeg", "png"]


def photo(width: int, height: int) -> Image.Image:
    """Soft colours with grain, as heavy to decode as a photograph."""
    source = random.Random(1)
    soft = Image.frombytes("RGB", (16, 16), source.randbytes(768)).resize((width, height))
    return Image.blend(soft, Image.effect_noise((width, height), 60).convert("RGB"), 0.1)


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1024, 768), (256, 192)),
        ((768, 1024), (192, 256)),
        ((1000, 333), (256, 85)),
        ((4000, 3), (256, 1)),
        ((1, 300), (1, 256)),
        ((256, 256), (256, 256)),
        ((40, 30), (40, 30)),
    ],
)
def test_the_longest_edge_is_256(size: tuple[int, int], small: tuple[int, int]) -> None:
    """The proportions are kept, nothing is enlarged, and one pixel always remains."""
    assert thumbnail(Image.new("RGB", size)).size == small


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), size=st.integers(1, 600))
def test_any_size_fits_and_keeps_its_proportions(width: int, height: int, size: int) -> None:
    """Both edges are within half a pixel of the exact scale."""
    small = thumbnail(Image.new("L", (width, height)), size)
    scale = min(1, size / max(width, height))
    assert max(small.size) == min(size, max(width, height))
    assert abs(small.width - width * scale) <= 0.5 or small.width == 1
    assert abs(small.height - height * scale) <= 0.5 or small.height == 1


def test_the_original_is_left_alone() -> None:
    """A thumbnail is a new picture, also where nothing had to be made smaller."""
    image = Image.new("RGB", (10, 10), "red")
    thumbnail(image).putpixel((0, 0), (0, 0, 0))
    assert image.getpixel((0, 0)) == (255, 0, 0)


def test_transparency_does_not_bleed() -> None:
    """The invisible colour of transparent pixels does not tint the edge of what is visible."""
    image = Image.new("RGBA", (512, 512), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 255, 512))
    small = thumbnail(image, 64)
    seen = [small.getpixel((x, 32)) for x in range(64)]
    assert all(pixel[1] == 0 for pixel in seen if pixel[3])
    assert seen[0] == (255, 0, 0, 255)
    assert seen[63][3] == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_formats_and_transparency(tmp_path: Path, kind: Format) -> None:
    """WEBP and PNG keep transparency; JPEG shows it as white."""
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    path = tmp_path / "thumb"
    save_thumbnail(image, path, format=kind)
    assert probe_image(path).media_type == f"image/{kind}"
    with Image.open(path) as saved:
        assert saved.mode == ("RGB" if kind == "jpeg" else "RGBA")
        left = saved.getpixel((8, 32))
    assert min(left) >= 250 if kind == "jpeg" else left[3] == 0


def test_quality_counts(tmp_path: Path) -> None:
    """A lower quality makes a smaller file."""
    sizes = []
    for quality in (30, 95):
        save_thumbnail(photo(200, 200), tmp_path / "thumb.webp", quality=quality)
        sizes.append((tmp_path / "thumb.webp").stat().st_size)
    assert sizes[0] * 2 < sizes[1]


@pytest.mark.parametrize("kind", FORMATS)
def test_no_metadata_in_thumbnails(tmp_path: Path, kind: Format) -> None:
    """Neither camera nor profile nor comment of the original is in the thumbnail, upright though it is."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "CameraOfSomeone", 6
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source, out = tmp_path / "photo.jpg", tmp_path / "thumb"
    photo(640, 480).save(source, exif=exif, icc_profile=srgb, comment=b"at home")
    thumbnail_file(source, out, format=kind)
    direct = tmp_path / "direct"
    with Image.open(source) as image:
        save_thumbnail(image, direct, format=kind)
    for path in (out, direct):
        with Image.open(path) as saved:
            assert not saved.getexif()
            assert not saved.info.keys() & {"icc_profile", "exif", "comment", "xmp"}
        assert b"CameraOfSomeone" not in path.read_bytes()
    assert (probe_image(out).width, probe_image(out).height) == (192, 256)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(1024, 1024), (1376, 768), (611, 1003), (200, 100)])
def test_from_a_file_as_from_memory(tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    """The quick way through the file shows the same picture, in the same size, as the slow one."""
    source, out = tmp_path / "photo", tmp_path / "thumb.png"
    photo(*size).save(source, kind, quality=92)
    thumbnail_file(source, out, size=128, format="png")
    with Image.open(source) as image, Image.open(out) as quick:
        slow = image.convert("RGB").resize(quick.size, Image.Resampling.LANCZOS)
        assert quick.size == thumbnail(image, 128).size
        pairs = zip(slow.tobytes(), quick.convert("RGB").tobytes(), strict=True)
        assert sum((a - b) ** 2 for a, b in pairs) / len(slow.tobytes()) < 12


def test_a_file_that_is_no_picture_makes_no_thumbnail(tmp_path: Path) -> None:
    """The error is the picture's, and no file is left behind."""
    source, out = tmp_path / "page.jpg", tmp_path / "thumb.webp"
    source.write_text("<html>")
    with pytest.raises(BadMedia, match="it looks like an HTML page"):
        thumbnail_file(source, out)
    assert not out.exists()


def test_faster_than_the_plain_loop(tmp_path: Path) -> None:
    """From a JPEG it takes less time than Pillow's own open, thumbnail, save (`make bench` says how much)."""
    source, out = tmp_path / "photo.jpg", tmp_path / "thumb.webp"
    photo(1024, 1024).save(source, quality=90)

    def plain() -> None:
        with Image.open(source) as image:
            image.thumbnail((256, 256))
            image.save(out, quality=85)

    def ours() -> None:
        thumbnail_file(source, out)

    best = {}
    for work in (plain, ours):
        times = []
        for _ in range(9):
            start = time.thread_time()
            work()
            times.append(time.thread_time() - start)
        best[work] = min(times)
    assert best[plain] / best[ours] > 1.15
