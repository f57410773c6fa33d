"""Weights from where they are published: pinned commits, safetensors only, resumed where it was broken off.

Nothing is in its place before all of it is: files wait beside, and the folder is renamed last.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ai_content_pipeline.catalog import local
from ai_content_pipeline.catalog.cards import Weights
from ai_content_pipeline.errors import ConfigurationError, ProviderUnavailable
from ai_content_pipeline.providers.local.weights import MANIFEST

Tell = Callable[[str], None]

_WAITING = ".downloads"
_CHUNK = 1 << 22
_PATIENCE = 30.0  # seconds without a byte: then the connection is as good as broken
_PARTIAL = 206  # the status of an answer that begins where it was asked to
#: Besides safetensors: configurations and vocabularies, which are data.
_KINDS = (".safetensors", ".json", ".txt", ".model")
_AGAIN = "the same command goes on where it was broken off"


@dataclass(frozen=True, slots=True)
class _File:
    """One published file. `sha256` where the publisher says it; `place` is below the model's folder."""

    weights: Weights
    name: str
    size: int
    sha256: str | None
    place: PurePosixPath


def download(
    key: str, models: Path, tell: Tell, environ: Mapping[str, str], *, bars: bool = False
) -> tuple[Path, bool]:
    """The folder of a model's weights, and whether anything had to be fetched. `bars`: show the library's.

    Raises:
        ConfigurationError: no such model, no room, or a folder of the user's own is in the way.
        ProviderUnavailable: the network or the publisher; the same command goes on.
    """
    folder = models / key
    if (folder / MANIFEST).is_file() and _told(folder) == _pins(key):
        return folder, False
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ConfigurationError(
            f"{folder} is there already, and was not made by aicp", hint="use it as it is, or move it away"
        )
    waiting = models / _WAITING / key
    try:
        waiting.mkdir(parents=True, exist_ok=True)
        files = list(_listed(key, environ))
        _check_room(models, files, waiting)
        for number, file in enumerate(files, 1):
            tell(f"{number} of {len(files)}  {file.place}  {file.size / 1e9:.2f} GB")
            _fetch(file, waiting, environ, bars=bars)
        _put_in_place(files, waiting, folder, _pins(key))
    except OSError as error:
        raise ProviderUnavailable(
            f"the download of {key} ended early: {_words(error)}", hint=_AGAIN
        ) from error
    shutil.rmtree(waiting, ignore_errors=True)
    return folder, True


def _pins(key: str) -> list[str]:
    """What a folder must have been made of."""
    needs = local.load(key).local
    return [f"{one.repo}@{one.revision}" for one in needs.weights] if needs else []


def _told(folder: Path) -> object:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("from")
    except (OSError, ValueError, AttributeError):
        return None


def _listed(key: str, environ: Mapping[str, str]) -> Iterator[_File]:
    """Every file of the pinned commits that the model needs."""
    from huggingface_hub import HfApi

    needs = local.load(key).local
    for weights in needs.weights if needs else ():
        api = HfApi(endpoint=_endpoint(environ))
        info = _asked(partial(api.model_info, weights.repo, revision=weights.revision, files_metadata=True))
        if info.sha != weights.revision:
            raise ProviderUnavailable(f"{weights.repo} answered with another commit than the one asked for")
        for entry in info.siblings or ():
            if any(fnmatchcase(entry.rfilename, pattern) for pattern in weights.files):
                yield _file(weights, entry)


def _file(weights: Weights, entry: Any) -> _File:
    name = PurePosixPath(entry.rfilename)
    if name.is_absolute() or ".." in name.parts or "\\" in entry.rfilename:
        raise ProviderUnavailable(f"{weights.repo} lists a file outside its folder")
    if not name.name.endswith(_KINDS):
        raise ProviderUnavailable(f"{weights.repo} lists {str(name)[:80]}, which is neither weights nor data")
    place = str(name)
    for prefix, instead in weights.places.items():
        if place.startswith(prefix):
            place = instead + place.removeprefix(prefix)
            break
    sha256 = entry.lfs.sha256 if entry.lfs else None
    return _File(weights, str(name), entry.size or 0, sha256, PurePosixPath(weights.folder) / place)


def _fetch(file: _File, waiting: Path, environ: Mapping[str, str], *, bars: bool) -> None:
    """Into the waiting folder, unless it is there: its missing end only, and held against what was published.

    A connection that breaks is made anew as long as it brings something.
    """
    path = _of(file.weights, waiting) / file.name
    if path.is_file():  # it gets its name when it is whole
        return
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    while (had := part.stat().st_size) < file.size:
        nothing = ProviderUnavailable(f"{file.weights.repo} sends no more of {file.name}", hint=_AGAIN)
        try:
            _asked(partial(_append, file, part, environ, bars=bars))
        except ProviderUnavailable as error:
            nothing = error
        if part.stat().st_size <= had:
            raise nothing
    if part.stat().st_size != file.size or (file.sha256 is not None and _sha256(part) != file.sha256):
        part.unlink()
        raise ProviderUnavailable(f"{file.name} is not what {file.weights.repo} published", hint=_AGAIN)
    part.replace(path)


def _append(file: _File, part: Path, environ: Mapping[str, str], *, bars: bool) -> None:
    """What is missing of `part`, from where it ends; all of it where the publisher cannot do that."""
    from huggingface_hub import hf_hub_url, utils

    had, weights = part.stat().st_size, file.weights
    url = hf_hub_url(weights.repo, file.name, revision=weights.revision, endpoint=_endpoint(environ))
    headers = {**utils.build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={had}-"}
    with utils.get_session().stream("GET", url, headers=headers, timeout=_PATIENCE) as response:
        utils.hf_raise_for_status(response)
        if response.status_code != _PARTIAL:
            had = 0
        bar = {"total": file.size, "initial": had, "unit": "B", "unit_scale": True}
        (utils.enable_progress_bars if bars else utils.disable_progress_bars)()
        with part.open("ab" if had else "wb") as target, utils.tqdm(desc=part.stem[:40], **bar) as shown:
            for chunk in response.iter_bytes():
                target.write(chunk)
                shown.update(len(chunk))
                if target.tell() > file.size:
                    return


def _put_in_place(files: list[_File], waiting: Path, folder: Path, pins: list[str]) -> None:
    fresh = waiting / "model"
    for file in files:
        target = fresh / file.place
        target.parent.mkdir(parents=True, exist_ok=True)
        (_of(file.weights, waiting) / file.name).replace(target)
    contents = {str(file.place): file.sha256 for file in files}
    (fresh / MANIFEST).write_text(json.dumps({"from": pins, "sha256": contents}, indent=1), encoding="utf-8")
    if folder.exists():  # of other commits
        shutil.rmtree(folder)
    fresh.replace(folder)


def _of(weights: Weights, waiting: Path) -> Path:
    return waiting / weights.repo.replace("/", "--")


def _check_room(models: Path, files: list[_File], waiting: Path) -> None:
    there = sum(path.stat().st_size for path in waiting.rglob("*") if path.is_file())
    wanted = sum(file.size for file in files) - there
    free = shutil.disk_usage(models).free
    if wanted > free:
        raise ConfigurationError(
            f"{wanted / 1e9:.1f} GB are needed in {models}, and {free / 1e9:.1f} GB are free",
            hint="name another folder with --models-dir or AICP_MODELS_DIR",
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _endpoint(environ: Mapping[str, str]) -> str | None:
    return environ.get("HF_ENDPOINT", "").strip() or None


def _asked(call: Callable[[], Any]) -> Any:
    """What the publisher answers; its errors in our words."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return call()
    except OfflineModeIsEnabled as error:
        raise ConfigurationError("HF_HUB_OFFLINE forbids downloads", hint="unset it") from error
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ConfigurationError(
            f"the publisher refuses: {_words(error)}", hint="is HF_TOKEN needed?"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ProviderUnavailable(f"the publisher cannot be reached: {_words(error)}", hint=_AGAIN) from error
    except _broken_connections() as error:
        raise ProviderUnavailable(f"the connection broke: {_words(error)}", hint=_AGAIN) from error


def _broken_connections() -> tuple[type[Exception], ...]:
    """What the library's HTTP client raises, whichever client that is."""
    clients = (sys.modules.get(name) for name in ("httpx", "httpx2"))
    return tuple(client.HTTPError for client in clients if client is not None)


def _words(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
