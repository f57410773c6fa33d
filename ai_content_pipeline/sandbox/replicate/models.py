"""Replicate's model pages: every name exists, with a schema of its own or a generic one."""

from __future__ import annotations

import hashlib
import re
from functools import partial

from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.messages import Request, Response, json_response
from ai_content_pipeline.sandbox.models import SCHEMAS, Schema, outputs_listed, schema_of
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import State
from ai_content_pipeline.sandbox.times import iso

from .answers import keyed

#: Models that Replicate runs itself: called by name, their version is not shown.
OFFICIAL = frozenset(name for name in SCHEMAS if not name.startswith("fal-ai/"))

_MODEL = re.compile(r"^/v1/models/(?P<model>[^/]+/[^/]+)(?P<all>/versions(?:/(?P<version>[^/]+))?)?$")
_HEX = re.compile(r"^[0-9a-f]{64}$")
_RELEASED = 1_767_225_600.0  # 2026-01-01


def version_of(model: str) -> str:
    """The id of a model's only version."""
    return hashlib.sha256(model.encode()).hexdigest()


def model_of_version(asked: str) -> str:
    """``owner/name``, ``owner/name:id`` or a bare id; empty when it cannot be a version."""
    if "/" in asked:
        return asked.partition(":")[0]
    known = {version_of(name): name for name in OFFICIAL}
    return known.get(asked, "sandbox/unknown" if _HEX.match(asked) else "")


def recognise(request: Request, state: State) -> Routed | None:
    """A request for a model or its versions."""
    match = _MODEL.match(request.path)
    if match is None or request.method != "GET":
        return None
    serve = partial(_versions if match["all"] else _model, match["model"], match["version"])
    return Routed(Call("replicate", "model", match["model"]), partial(keyed, state, serve))


def _model(model: str, _version: str | None, request: Request, _: Actions) -> Response:
    owner, _slash, name = model.partition("/")
    return json_response(
        {
            "url": f"{request.base}/{model}",
            "owner": owner,
            "name": name,
            "description": "A model of the sandbox",
            "visibility": "public",
            "github_url": None,
            "paper_url": None,
            "license_url": None,
            "run_count": 1,
            "cover_image_url": None,
            "default_example": None,
            "latest_version": _version_json(model, version_of(model)),
        }
    )


def _versions(model: str, version: str | None, request: Request, _: Actions) -> Response:
    if version:
        return json_response(_version_json(model, version))
    return json_response(
        {"previous": None, "next": None, "results": [_version_json(model, version_of(model))]}
    )


def _version_json(model: str, version: str) -> dict[str, object]:
    return {
        "id": version,
        "created_at": iso(_RELEASED),
        "cog_version": "0.14.0",
        "openapi_schema": openapi(model),
    }


def openapi(model: str) -> dict[str, object]:
    """The model's schema as Replicate writes it: enums beside the input, files as strings of format uri."""
    schema = schema_of(model)
    properties = {name: _property(schema, name) for name in _fields(schema)}
    for order, described in enumerate(properties.values()):
        described["x-order"] = order
    uri = {"type": "string", "format": "uri"}
    output = {"type": "array", "items": uri} if outputs_listed(model) else uri
    schemas: dict[str, object] = {
        name: {
            "title": name,
            "enum": list(values),
            "type": "integer" if isinstance(values[0], int) else "string",
        }
        for name, values in schema.choices.items()
    }
    schemas["Input"] = {
        "type": "object",
        "title": "Input",
        "required": list(schema.required),
        "properties": properties,
    }
    schemas["Output"] = {"title": "Output", **output}
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {"schemas": schemas},
    }


def _fields(schema: Schema) -> tuple[str, ...]:
    names = (*schema.required, *schema.files, *schema.lists, *schema.choices, *schema.other)
    return tuple(dict.fromkeys(names))


def _property(schema: Schema, name: str) -> dict[str, object]:
    title = name.replace("_", " ").title()
    if name in schema.choices:
        return {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "description": title}
    if name in schema.files:
        return {"type": "string", "format": "uri", "title": title, "nullable": True}
    if name in schema.lists:
        return {"type": "array", "items": {"type": "string", "format": "uri"}, "title": title, "default": []}
    kinds = {"seed": "integer", "duration": "integer", "fps": "integer", "camera_fixed": "boolean"}
    return {"type": kinds.get(name, "string"), "title": title}
