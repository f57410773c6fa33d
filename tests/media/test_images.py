"""Pictures of every sound kind open with the right colours; the unsound ones are refused by name."""

from __future__ import annotations

import io
import os
import random
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw
from PIL.PngImagePlugin import PngInfo

from ai_content_pipeline.artifacts import Kind, MediaInfo
from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media import magic
from ai_content_pipeline.media.images import open_image, probe_image, save_png

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
ORIENTATION = 0x0112
#: How an upright picture has to be stored for each EXIF orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters(width: int = 48, height: int = 32) -> Image.Image:
    """Red, green / blue, yellow."""
    image = Image.new("RGB", (width, height), RED)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=BLUE)
    draw.rectangle((width // 2, height // 2, width, height), fill=YELLOW)
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    right, bottom = image.width - 1, image.height - 1
    places = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    return [tuple(image.convert("RGB").getpixel(place)) for place in places]


def close(one: tuple[int, ...], other: tuple[int, ...], by: int) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *, depth: int, colour: int, rows: bytes, before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def profile(space: bytes, tags: dict[bytes, bytes], *, connection: bytes = b"XYZ ") -> bytes:
    """An ICC profile, version 2, put together by hand."""
    text = b"test profile\0"
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78), **tags}
    tags[b"wtpt"] = xyz(0.9642, 1.0, 0.8249)
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content
    device = b"prtr" if space == b"CMYK" else b"mntr"
    head = b"\0\0\0\0\x02\x40\0\0" + device + space + connection + bytes(12) + b"acsp" + bytes(28)
    head += xyz(0.9642, 1.0, 0.8249)[8:]
    body = head.ljust(124, b"\0") + struct.pack(">I", len(tags)) + table + data
    return struct.pack(">I", len(body) + 4) + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def display_p3() -> bytes:
    curve = gamma(2.2)
    tags = {b"rXYZ": xyz(0.5151, 0.2412, -0.0011), b"gXYZ": xyz(0.2919, 0.6922, 0.0419)}
    tags |= {b"bXYZ": xyz(0.1572, 0.0666, 0.7841), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    return profile(b"RGB ", tags)


def black_inks() -> bytes:
    """A press on whose paper every ink is black."""
    straight = bytes(range(256))
    lattice = b"".join(bytes((0 if inks else 255, 128, 128)) for inks in range(16))
    matrix = struct.pack(">9i", *(65536 if place % 4 == 0 else 0 for place in range(9)))
    table = b"mft1\0\0\0\0\4\3\2\0" + matrix + straight * 4 + lattice + straight * 3
    return profile(b"CMYK", {b"A2B0": table}, connection=b"Lab ")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_plain_picture_comes_back_as_it_is(tmp_path: Path, kind: str) -> None:
    """The three accepted formats decode to RGB of the same size, and the probe agrees."""
    path = tmp_path / "picture.bin"
    path.write_bytes(encoded(quarters(), kind, quality=95))
    image = open_image(path)
    assert (image.mode, image.size, image.info) == ("RGB", (48, 32), {})
    colours = zip(corners(image), (RED, GREEN, BLUE, YELLOW), strict=True)
    assert all(close(seen, meant, 6) for seen, meant in colours)
    assert probe_image(path) == MediaInfo(Kind.IMAGE, f"image/{kind.lower()}", 48, 32)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied(tmp_path: Path, kind: str, orientation: int) -> None:
    """Each of the eight orientations is shown upright; the probe gives the size as displayed."""
    turn = STORED[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    path = tmp_path / "turned"
    path.write_bytes(encoded(stored, kind, exif=exif(orientation), quality=95))
    image = open_image(path)
    colours = zip(corners(image), (RED, GREEN, BLUE, YELLOW), strict=True)
    assert image.size == (48, 32)
    assert all(close(seen, meant, 6) for seen, meant in colours)
    info = probe_image(path)
    assert (info.width, info.height) == (48, 32)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    """The probe, which decodes nothing, and the picture agree wherever a PNG keeps its EXIF."""
    stored = encoded(quarters().transpose(Image.Transpose.ROTATE_90), "PNG")
    late = chunk(b"eXIf", exif(6).tobytes()[6:])
    path = tmp_path / "late.png"
    path.write_bytes(stored[:-12] + late + stored[-12:])
    assert corners(open_image(path)) == [RED, GREEN, BLUE, YELLOW]
    assert (probe_image(path).width, probe_image(path).height) == (48, 32)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II",
        b"XX*\0garbage",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + b"\x01\x01\x03\0\1\0\0\0\1\0\0\0" * 50,
        b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x63\0\0",
    ],
)
def test_damaged_exif_does_not_spoil_the_picture(tmp_path: Path, block: bytes) -> None:
    """Nonsense in the metadata is ignored without a warning: the pixels are what counts."""
    path = tmp_path / "odd.jpg"
    path.write_bytes(encoded(quarters(), "JPEG", exif=b"Exif\0\0" + block))
    assert open_image(path).size == (48, 32)
    assert (probe_image(path).width, probe_image(path).height) == (48, 32)


def test_many_threads_leave_the_warning_filters_as_they_were(tmp_path: Path) -> None:
    """Silencing the decoder's chatter is not left behind in the process, however threads interleave."""
    path = tmp_path / "odd.jpg"
    path.write_bytes(encoded(quarters(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    before, interval = list(warnings.filters), sys.getswitchinterval()
    threads = [threading.Thread(target=lambda: [probe_image(path) for _ in range(100)]) for _ in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before


def test_a_palette_with_transparency_becomes_rgba(tmp_path: Path) -> None:
    """Palette pictures keep their colours, and their transparency as alpha."""
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    path = tmp_path / "palette.png"
    image.save(path, transparency=bytes([255, 128, 0]))
    opened = open_image(path)
    assert opened.mode == "RGBA"
    assert [opened.getpixel((x, 0)) for x in range(3)] == [(*RED, 255), (*GREEN, 128), (*BLUE, 0)]
    image.save(path)
    assert open_image(path).mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "pixel", "seen"),
    [
        ("1", 255, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 50), (77, 77, 77, 50)),
        ("RGBA", (10, 20, 30, 40), (10, 20, 30, 40)),
        ("I;16", 0, (0, 0, 0)),
        ("I;16", 257 * 100, (100, 100, 100)),
        ("I;16", 40_000, (156, 156, 156)),
        ("I;16", 65_535, (255, 255, 255)),
    ],
)
def test_grey_and_alpha_of_every_depth(
    tmp_path: Path, mode: str, pixel: int | tuple[int, ...], seen: tuple[int, ...]
) -> None:
    """Grey of 1, 8 and 16 bits is scaled to 8, never clipped; alpha survives."""
    path = tmp_path / "grey.png"
    Image.new(mode, (5, 4), pixel).save(path)
    assert open_image(path).getpixel((2, 2)) == seen


def test_16_bit_grey_keeps_its_transparent_value(tmp_path: Path) -> None:
    """The one transparent grey of a 16-bit PNG, and not its 8-bit neighbours, becomes alpha 0."""
    path = tmp_path / "key.png"
    rows = b"\0" + struct.pack(">3H", 1000, 1001, 40_000)
    key = chunk(b"tRNS", struct.pack(">H", 1000))
    path.write_bytes(png(3, 1, depth=16, colour=0, rows=rows, before=key))
    image = open_image(path)
    assert [image.getpixel((x, 0))[3] for x in range(3)] == [0, 255, 255]


def test_16_bit_colour_is_scaled(tmp_path: Path) -> None:
    """RGB of 16 bits a channel keeps its colour."""
    path = tmp_path / "deep.png"
    path.write_bytes(png(1, 1, depth=16, colour=2, rows=b"\0" + struct.pack(">3H", 65_535, 32_896, 0)))
    assert close(open_image(path).getpixel((0, 0)), (255, 128, 0), 1)


def test_cmyk_without_a_profile(tmp_path: Path) -> None:
    """Full cyan is cyan and no ink is white: Adobe's inversion is undone."""
    path = tmp_path / "cmyk.jpg"
    for inks, seen in (((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 0), (255, 255, 255))):
        Image.new("CMYK", (16, 16), inks).save(path, quality=95)
        image = open_image(path)
        assert image.mode == "RGB"
        assert close(image.getpixel((8, 8)), seen, 3)


def test_cmyk_goes_through_its_profile(tmp_path: Path) -> None:
    """The printer's profile decides what an ink looks like."""
    path = tmp_path / "cmyk.jpg"
    for inks, seen in (((255, 0, 0, 0), (0, 0, 0)), ((0, 0, 0, 0), (255, 255, 255))):
        Image.new("CMYK", (16, 16), inks).save(path, quality=95, icc_profile=black_inks())
        assert close(open_image(path).getpixel((8, 8)), seen, 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_wide_gamut_becomes_srgb(tmp_path: Path, kind: str) -> None:
    """The red of sRGB, written in Display P3, is that red again."""
    path = tmp_path / "p3"
    p3 = Image.new("RGB", (16, 16), (234, 51, 35))
    path.write_bytes(encoded(p3, kind, quality=100, icc_profile=display_p3()))
    assert close(open_image(path).getpixel((8, 8)), RED, 10)


def test_a_profile_leaves_transparency_alone(tmp_path: Path) -> None:
    """Colours are converted below the alpha, in RGBA and in palettes."""
    path = tmp_path / "p3.png"
    Image.new("RGBA", (2, 2), (234, 51, 35, 99)).save(path, icc_profile=display_p3())
    assert close(open_image(path).getpixel((0, 0)), (*RED, 99), 10)
    palette = Image.new("P", (2, 2))
    palette.putpalette([234, 51, 35])
    palette.save(path, icc_profile=display_p3(), transparency=bytes([99]))
    assert close(open_image(path).getpixel((0, 0)), (*RED, 99), 10)


def test_grey_profiles_count(tmp_path: Path) -> None:
    """A linear middle grey is shown lighter, as it is in sRGB."""
    path = tmp_path / "linear.png"
    linear = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    Image.new("L", (4, 4), 128).save(path, icc_profile=linear)
    assert close(open_image(path).getpixel((0, 0)), (188, 188, 188), 2)


@pytest.mark.parametrize(
    "useless",
    [
        b"not a profile",
        display_p3()[:200],
        profile(b"GRAY", {b"kTRC": gamma(1.0)}),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ],
    ids=["nonsense", "cut", "of grey", "sRGB"],
)
def test_profiles_that_change_nothing(tmp_path: Path, useless: bytes) -> None:
    """Damaged and foreign profiles are ignored, and sRGB is left exactly as it is."""
    path = tmp_path / "picture.png"
    Image.new("RGB", (4, 4), (12, 200, 77)).save(path, icc_profile=useless)
    assert open_image(path).getpixel((0, 0)) == (12, 200, 77)


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1), (4000, 3)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    """The narrowest pictures are pictures."""
    path = tmp_path / "odd.png"
    Image.new("RGB", size, RED).save(path)
    assert open_image(path).size == size


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_frame_of_an_animation(tmp_path: Path, kind: str) -> None:
    """Animated PNG and WEBP show their first frame."""
    path = tmp_path / "animated"
    first, second = Image.new("RGB", (16, 8), RED), Image.new("RGB", (16, 8), BLUE)
    options = {"lossless": True} if kind == "WEBP" else {}
    path.write_bytes(encoded(first, kind, save_all=True, append_images=[second], **options))
    assert corners(open_image(path)) == [RED] * 4


def test_a_hundred_thousand_frames_cost_nothing(tmp_path: Path) -> None:
    """Of an animation without end only the first frame is decoded, in no time and memory to speak of."""
    two = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    data = encoded(two[0], "WEBP", save_all=True, append_images=two[1:], lossless=True)
    start = data.index(b"ANMF")
    length = 8 + struct.unpack("<I", data[start + 4 : start + 8])[0]
    body = data[8:start] + data[start : start + length] * 100_000
    path = tmp_path / "endless.webp"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert corners(open_image(path)) == [RED] * 4


@pytest.mark.parametrize("size", [(4096, 2048), (2048, 4096)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_may_be_decoded_smaller(tmp_path: Path, size: tuple[int, int], orientation: int) -> None:
    """`at_least` counts upright pixels, and the picture is never smaller than asked."""
    path = tmp_path / "large.jpg"
    stored = quarters(*size)
    stored.save(path, exif=exif(orientation))
    upright = size if orientation == 1 else size[::-1]
    wanted = (upright[0] // 8, upright[1] // 8)
    assert open_image(path, at_least=wanted).size == wanted
    slightly_more = (wanted[0] + 1, wanted[1])
    assert open_image(path, at_least=slightly_more).size == (upright[0] // 4, upright[1] // 4)
    assert open_image(path, at_least=(9000, 9000)).size == upright


@pytest.mark.parametrize("side", [12_000, 16_000])
@pytest.mark.parametrize("look", [open_image, probe_image])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, side: int, look: Callable[[Path], object]) -> None:
    """144 and 256 megapixels in a few kilobytes: refused with the size, not warned about."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, depth=1, colour=0, rows=bytes(side * (side // 8 + 1))))
    with pytest.raises(BadMedia, match=rf"bomb.png: {side}x{side} pixels; at most 64 megapixels"):
        look(path)


@pytest.mark.parametrize("side", [9_000, 16_384])
def test_a_webp_bomb_is_refused(tmp_path: Path, side: int) -> None:
    """The canvas of an animation may be far larger than the frame in it."""
    two = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    data = bytearray(encoded(two[0], "WEBP", save_all=True, append_images=two[1:]))
    data[24:30] = (side - 1).to_bytes(3, "little") * 2
    path = tmp_path / "bomb.webp"
    path.write_bytes(data)
    with pytest.raises(BadMedia, match="at most 64 megapixels"):
        probe_image(path)


def test_the_pixel_limit_is_the_callers(tmp_path: Path) -> None:
    """Exactly `max_pixels` is accepted, one more is not."""
    path = tmp_path / "picture.png"
    Image.new("RGB", (20, 10)).save(path)
    assert open_image(path, max_pixels=200).size == (20, 10)
    with pytest.raises(BadMedia, match="20x10 pixels"):
        open_image(path, max_pixels=199)


def test_text_and_profile_bombs(tmp_path: Path) -> None:
    """Compressed text and profiles that swell to megabytes are refused, not swallowed."""
    path = tmp_path / "bomb.png"
    text = PngInfo()
    text.add_text("comment", "x" * 20_000_000, zip=True)
    quarters().save(path, pnginfo=text)
    assert path.stat().st_size < 100_000
    with pytest.raises(BadMedia, match=r"bomb.png: damaged PNG \(Decompressed data too large"):
        open_image(path)
    quarters().save(path, icc_profile=bytes(20_000_000))
    with pytest.raises(BadMedia, match="Decompressed data too large"):
        probe_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.97])
def test_a_truncated_picture_is_damaged(tmp_path: Path, kind: str, kept: float) -> None:
    """A download that stopped short never passes as a picture, and the message says where and why."""
    data = encoded(Image.effect_noise((200, 150), 80).convert("RGB"), kind)
    path = tmp_path / "short.bin"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BadMedia, match=f"short.bin: damaged {kind}") as caught:
        open_image(path)
    assert caught.value.hint == "make or download the file again"


FOREIGN = {
    "an empty file": b"",
    "an HTML page": b"\xef\xbb\xbf\n <!DOCTYPE html><title>502</title>",
    "JSON": b'{"detail": "not found"}',
    "text": b"not found\n",
    "an SVG drawing": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "a PostScript file": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "an EPS file": b"\xc5\xd0\xd3\xc6" + bytes(26),
    "a TIFF picture": encoded(quarters(), "TIFF"),
    "a GIF picture": encoded(quarters(), "GIF", save_all=True, append_images=[quarters().rotate(90)]),
    "a BMP picture": encoded(quarters(), "BMP"),
    "a Photoshop file": b"8BPS\0\1" + bytes(40),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(40),
    "a WMF drawing": b"\xd7\xcd\xc6\x9a" + bytes(40),
    "a PDF file": b"%PDF-1.7\n",
    "an AVIF picture": b"\0\0\0\x20ftypavif" + bytes(20),
    "a video": b"\0\0\0\x20ftypisom" + bytes(20),
    "data of an unknown kind": bytes(range(1, 60)),
}


@pytest.mark.parametrize("likeness", FOREIGN)
@pytest.mark.parametrize("look", [open_image, probe_image])
def test_other_files_named_png(tmp_path: Path, likeness: str, look: Callable[[Path], object]) -> None:
    """Whatever else calls itself .png is not handed to a decoder; the message says what it looks like."""
    path = tmp_path / "picture.png"
    path.write_bytes(FOREIGN[likeness])
    with pytest.raises(BadMedia, match=rf"picture\.png: not a picture .* it looks like {likeness}$"):
        look(path)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """Pipes, devices, folders and what does not exist are refused at once, without waiting."""
    pipe, device, folder = tmp_path / "pipe.png", tmp_path / "device.png", tmp_path / "folder.png"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    for path in (pipe, device):
        with pytest.raises(BadMedia, match=rf"{path.name}: not a regular file"):
            open_image(path)
    with pytest.raises(BadMedia, match=r"folder.png: cannot be opened"):
        open_image(folder)
    with pytest.raises(BadMedia, match=r"missing.png: cannot be opened \(No such file"):
        open_image(tmp_path / "missing.png")
    with pytest.raises(BadMedia, match="cannot be opened"):
        open_image(tmp_path / "nul\0.png")


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
@pytest.mark.parametrize("side", [40, 600])
def test_small_and_large_files_are_read_alike(tmp_path: Path, kind: str, side: int) -> None:
    """A few kilobytes or some hundred: the same pixels, and the same words where the end is missing."""
    path = tmp_path / f"noise.{kind}"
    noise = Image.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3))
    noise.save(path, lossless=True, quality=95, subsampling=0)
    assert (path.stat().st_size > magic._SMALL) is (side == 600)
    with Image.open(path) as plain:
        assert open_image(path).tobytes() == plain.convert("RGB").tobytes()
    assert probe_image(path) == MediaInfo(Kind.IMAGE, Image.MIME[plain.format], side, side)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(BadMedia, match="damaged"):
        open_image(path)


def test_a_link_to_a_picture_is_a_picture(tmp_path: Path) -> None:
    """Users keep their files where they like."""
    quarters().save(tmp_path / "real.png")
    (tmp_path / "link").symlink_to("real.png")
    assert open_image(tmp_path / "link").size == (48, 32)


def test_a_file_that_is_far_too_large(tmp_path: Path) -> None:
    """A sparse file of gigabytes with a picture at its start is not read."""
    path = tmp_path / "huge.webp"
    path.write_bytes(encoded(quarters(), "WEBP"))
    os.truncate(path, 2**32)
    with pytest.raises(BadMedia, match=r"huge.webp: 4096 MiB; at most 512 MiB"):
        open_image(path)


def test_saving_strips_metadata(tmp_path: Path) -> None:
    """Where and with what a photo was taken does not reach the output; its colours do."""
    secret = exif(1)
    secret[0x010F] = "CameraOfSomeone"
    secret.get_ifd(0x8825)[1] = "N"
    source, out = tmp_path / "photo.jpg", tmp_path / "out.png"
    quarters().save(source, exif=secret, icc_profile=display_p3(), comment=b"at home", quality=95)
    save_png(open_image(source), out)
    save_png(Image.open(source), tmp_path / "direct.png")
    for path in (out, tmp_path / "direct.png"):
        with Image.open(path) as saved:
            saved.load()
            assert saved.info == {}
            assert not saved.getexif()
        assert b"CameraOfSomeone" not in path.read_bytes()
    assert open_image(out).tobytes() == open_image(source).tobytes()


@given(pixels=st.binary(min_size=36, max_size=36), alpha=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_save_and_open_are_inverse(tmp_path: Path, pixels: bytes, alpha: bool) -> None:
    """A saved picture opens as exactly the same pixels, transparency included."""
    image = Image.frombytes("RGBA", (3, 3), pixels) if alpha else Image.frombytes("RGB", (3, 4), pixels)
    save_png(image, tmp_path / "saved.png")
    assert open_image(tmp_path / "saved.png").tobytes() == image.tobytes()


SOUND = [
    encoded(quarters(), "PNG", exif=exif(6), icc_profile=display_p3()),
    encoded(quarters().convert("P"), "PNG", transparency=bytes(range(200))),
    encoded(quarters(), "PNG", save_all=True, append_images=[quarters().rotate(90)]),
    encoded(quarters(), "JPEG", exif=exif(6), icc_profile=display_p3()),
    encoded(quarters().convert("CMYK"), "JPEG", progressive=True, icc_profile=black_inks()),
    encoded(quarters(), "WEBP", exif=exif(6), icc_profile=display_p3()),
    encoded(quarters().convert("RGBA"), "WEBP", lossless=True),
]


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_any_bytes_are_a_picture_or_bad_media(tmp_path: Path, data: st.DataObject) -> None:
    """However a file is damaged, the outcome is pixels or BadMedia: no warning, no other error."""
    content = bytearray(data.draw(st.sampled_from(SOUND)))
    places = st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[place] = byte
    path = tmp_path / "damaged"
    path.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), places))])
    try:
        image = open_image(path, max_pixels=1_000_000)
    except BadMedia:
        return
    info = probe_image(path, max_pixels=1_000_000)
    assert (info.width, info.height) == image.size
    assert image.mode in {"RGB", "RGBA"}
