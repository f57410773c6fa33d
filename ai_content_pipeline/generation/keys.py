"""The identity of work: equal keys are the same job, and the same job is never paid twice.

A key depends on what is asked, never on what things are called: renaming a step, inserting a panel or
updating the catalogue changes no key. Golden keys are tested; a change here needs a new `VERSION` and
makes every user pay again, so there had better not be one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

from ai_content_pipeline.artifacts import Artifact, Role, Source
from ai_content_pipeline.jobs import JobRequest, Json, LocalWork

VERSION = 1

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
#: Decimal's own context rounds to 28 digits, which would make one key of two long ids.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def request_key(request: JobRequest, ordinal: int) -> str:
    """The key of a request whose inputs all exist.

    `ordinal` counts identical requests within one plan, so that two wanted pictures are two jobs.
    """
    return _digest({**_request_identity(request), "take": request.take, "ordinal": ordinal})


def lineage_key(request: JobRequest, ordinal: int) -> str:
    """What all takes of one request share."""
    return _digest({**_request_identity(request), "ordinal": ordinal})


def local_key(work: LocalWork) -> str:
    """The key of work done here: its name, version, parameters and input bytes."""
    return _digest(
        {
            "v": VERSION,
            "local": work.name,
            "version": work.version,
            "params": canonical(dict(work.params)),
            "inputs": _input_identity(work.inputs),
        }
    )


def symbol(work: JobRequest | LocalWork, inputs: Json) -> str:
    """An identity that needs no file: `inputs` names each input by content or by what will make it.

    Ordinals are counted over symbols, so they are known before anything ran and stay the same after.
    """
    if isinstance(work, LocalWork):
        what: dict[str, Json] = {"local": work.name, "params": canonical(dict(work.params))}
    else:
        what = {k: v for k, v in _request_identity(work).items() if k != "inputs"} | {"take": work.take}
    return _digest({**what, "inputs": inputs})


def derived_seed(key: str, project: str) -> int:
    """A seed nobody gave, 31 bits: the same for the same job of the same project, and not in its key."""
    return int.from_bytes(hashlib.sha256(f"{project}:{key}".encode()).digest()[:4], "big") >> 1


def canonical(value: Json) -> Json:
    """`value` with every number, and every text that is exactly a number, in one spelling.

    YAML users write ``duration: 5`` and ``duration: "5"`` for the same thing.
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(str(value))
    if isinstance(value, str):
        return _number(value) if _NUMBER.fullmatch(value) else value
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return {key: canonical(item) for key, item in value.items()}


def canonical_json(value: Json) -> str:
    return _ENCODER.encode(value)


def _number(text: str) -> str:
    number = Decimal(text)
    return "0" if number == 0 else f"{number.normalize(_EXACT):f}"


def _request_identity(request: JobRequest) -> dict[str, Json]:
    more: dict[str, Json] = {"groups": list(request.groups)} if request.groups else {}
    if request.per_item and request.seed is not None:
        more["seed_mode"] = "per_item"
    return {
        **more,
        "v": VERSION,
        "provider": request.model.provider,
        "endpoint": request.model.endpoint,
        "prompt": request.prompt,
        "params": canonical(dict(request.params)),
        "inputs": _input_identity(request.inputs),
        "seed": None if request.seed is None else str(request.seed),
    }


def _input_identity(inputs: Mapping[Role, tuple[Source, ...]]) -> Json:
    return {role.value: [_sha(source) for source in sources] for role, sources in inputs.items() if sources}


def _sha(source: Source) -> str:
    return source.sha256 if isinstance(source, Artifact) else f"pending:{source.address}"


def _digest(value: dict[str, Json]) -> str:
    # A vendor or a file may hand us half of a surrogate pair; it is hashed like any other character.
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()
