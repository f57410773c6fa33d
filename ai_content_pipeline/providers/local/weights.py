"""Where weights lie, and whether they may be read: safetensors only, of the classes we know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ai_content_pipeline.catalog import local
from ai_content_pipeline.errors import ConfigurationError

INDEX = "model_index.json"
MANIFEST = "aicp.weights.json"  # written last by a download, so that half of one never looks whole
ADAPTER = "ip_adapter"
LORA = "few_step_lora.safetensors"

#: diffusers' pipeline classes that we run, and what we call them.
FAMILIES = {
    "StableDiffusionXLPipeline": "sdxl",
    "WanPipeline": "wan_t2v",
    "WanImageToVideoPipeline": "wan_i2v",
    "WanVACEPipeline": "wan_vace",
}
#: Only classes of these are built: a folder names code, and that code runs.
_LIBRARIES = frozenset({"diffusers", "transformers"})
_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_SUFFIX = ".safetensors"
_LONGEST_HEADER = 100_000_000  # bytes, as the library itself allows
_LONGEST_JSON = 64 << 20


def folder_of(environ: Mapping[str, str]) -> Path:
    """Where all models are kept: ``AICP_MODELS_DIR``, else ``~/.local/share/aicp/models`` (XDG)."""
    named = environ.get("AICP_MODELS_DIR", "").strip()
    if named:
        return Path(named).expanduser()
    data = environ.get("XDG_DATA_HOME", "").strip()
    return (
        Path(data) if data else Path(environ.get("HOME", "~")).expanduser() / ".local/share"
    ) / "aicp/models"


def find(models: Path, key: str) -> Path:
    """The folder of a model's weights, which are there and may be read.

    Raises:
        ConfigurationError: they are missing, unfinished, or of a kind that is not read.
    """
    if not local.KEY.fullmatch(key):
        raise ConfigurationError(f"{key[:64]!r} is no name of a local model")
    folder = models / key
    if not (folder / INDEX).is_file():
        raise missing(models, key)
    family_of(folder)
    return folder


def missing(models: Path, key: str, part: str = "") -> ConfigurationError:
    """The error of a run that lacks weights. A run never downloads."""
    what = f"the {part} weights of {key} are" if part else f"the weights of {key} are"
    where = f"not in {models / key}"
    if local.has(key):
        return ConfigurationError(f"{what} {where}", hint=f"aicp models pull {key}")
    known = ", ".join(local.keys())
    hint = f"put a folder in diffusers' layout there, or use one of {known}"
    return ConfigurationError(f"{what} {where}", hint=hint)


def family_of(folder: Path) -> str:
    """Which of our families a folder's own configuration describes.

    Raises:
        ConfigurationError: none, or it wants code of its own, or weights that can run code.
    """
    index = _object(folder / INDEX)
    name = index.get("_class_name")
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        raise ConfigurationError(
            f"{folder} holds a {str(name)[:60]}, which is not run here", hint=f"known: {', '.join(FAMILIES)}"
        )
    for part, entry in index.items():
        if isinstance(entry, list) and entry[0] is not None and entry[0] not in _LIBRARIES:
            raise ConfigurationError(
                f"{folder}: its part {part[:40]!r} names code outside diffusers and transformers",
                hint="only published classes are built",
            )
    if family == "wan_i2v" and _object(folder / "transformer/config.json").get("pos_embed_seq_len"):
        family = "wan_flf2v"
    for path in weight_files(folder):
        check_header(path)
    return family


def weight_files(folder: Path) -> Iterator[Path]:
    """Every safetensors file of a model's parts.

    Raises:
        ConfigurationError: a part has only pickles, or a shard lies outside its folder.
    """
    for part in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        found = sorted(part.glob(f"*{_SUFFIX}"))
        if not found and any(path.suffix.lower() in _PICKLES or _odd(path) for path in part.iterdir()):
            raise ConfigurationError(
                f"{part} has weights that are not safetensors: reading those could run code",
                hint="convert them with diffusers' save_pretrained, or download the model again",
            )
        for listing in part.glob(f"*{_SUFFIX}.index.json"):
            _check_shards(listing)
        yield from found


def _odd(path: Path) -> bool:
    """``model.Safetensors`` is no safetensors file to the libraries, which then read it as a pickle."""
    return path.suffix.lower() == _SUFFIX and path.suffix != _SUFFIX


def _check_shards(listing: Path) -> None:
    shards = _object(listing).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) else {None}
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(_SUFFIX):
            raise ConfigurationError(f"{listing} names a shard outside its folder", hint="download it again")
        if not (listing.parent / name).is_file():
            raise ConfigurationError(f"{listing.parent / name} is missing", hint="download the model again")


def check_header(path: Path) -> None:
    """Whether a file is safetensors by its content: its header fits, and its tensors lie side by side.

    Raises:
        ConfigurationError: it is not.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > min(size - 8, _LONGEST_HEADER):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        spans = sorted(
            tuple(tensor["data_offsets"]) for name, tensor in header.items() if name != "__metadata__"
        )
        end = 0
        for first, last in spans:
            if first != end or last < first:
                raise ValueError("its tensors overlap or leave gaps")
            end = last
        if end != size - 8 - length:
            raise ValueError("it is cut short or longer than it says")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} is no sound safetensors file ({error})", hint="download the model again"
        ) from error


def _object(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _LONGEST_JSON:
            raise ValueError("it is too long")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error})", hint="download the model again"
        ) from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path} holds no object", hint="download the model again")
    return value
