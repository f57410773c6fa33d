"""Colour: whatever a picture is stored as, the pipeline works on 8-bit sRGB."""

from __future__ import annotations

import io

from PIL import Image, ImageCms


def to_srgb(image: Image.Image) -> Image.Image:
    """A new RGB picture (RGBA where the source has transparency) in sRGB, without any metadata.

    An embedded ICC profile is honoured unless it is damaged or belongs to another colour model.
    """
    image = _eight_bit(image)
    transparent = image.has_transparency_data
    colours = _through_profile(image)
    if colours is None:
        result = image.convert("RGBA" if transparent else "RGB")
    else:
        result = colours
        if transparent:
            result.putalpha(image.convert("RGBA").getchannel("A"))
    result.info = {}
    return result


def flatten(image: Image.Image, background: str = "white") -> Image.Image:
    """RGB; transparency is laid over `background`."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    flat = Image.new("RGB", image.size, background)
    flat.paste(layer, mask=layer.getchannel("A"))
    return flat


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits; Pillow's own conversion turns all above 255 white."""
    if image.mode not in {"I", "I;16"}:
        return image
    wide = image.convert("I")
    grey = wide.point([(value + 128) // 257 for value in range(65536)], "L")
    key = grey.info.pop("transparency", None)
    if key is not None:
        grey.putalpha(wide.point([0 if value == key else 255 for value in range(65536)], "L"))
    return grey


def _through_profile(image: Image.Image) -> Image.Image | None:
    """The colours as sRGB by the embedded profile, RGB; None where it is missing, sRGB or useless."""
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _mode_for(image, profile)
        if mode is None or (profile.profile.profile_description or "").startswith("sRGB"):
            return None
        # By way of RGBA, because a palette with transparency has no direct way to RGB.
        source = image.convert("RGBA").convert("RGB") if mode == "RGB" else image.convert(mode)
        return ImageCms.profileToProfile(source, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        return None


def _mode_for(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> str | None:
    """The mode in which the profile understands the picture."""
    space = profile.profile.xcolor_space.strip()
    if image.mode == "CMYK":
        return "CMYK" if space == "CMYK" else None
    if space == "RGB":
        return "RGB"
    return "L" if space == "GRAY" and image.mode in {"1", "L", "LA"} else None
