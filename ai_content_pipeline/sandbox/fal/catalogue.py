"""fal's public schemas and its price list: every endpoint exists, if need be with a generic schema."""

from __future__ import annotations

from functools import partial

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.messages import Request, Response, json_response
from ai_content_pipeline.sandbox.models import SCHEMAS, Schema, kind_of
from ai_content_pipeline.sandbox.prices import rate
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import State

from .answers import answer, error, keyed

SCHEMA_PATH = "/api/openapi/queue/openapi.json"
PRICING_PATH = "/v1/models/pricing"


def recognise(request: Request, state: State) -> Routed | None:
    """A request for an endpoint's schema (which needs no key) or price."""
    if request.method != "GET":
        return None
    call = Call("fal", "model", request.query.get("endpoint_id", ""))
    if request.path == SCHEMA_PATH:
        return Routed(call, _schema)
    return Routed(call, partial(keyed, state, _pricing)) if request.path == PRICING_PATH else None


def _pricing(request: Request, _: Actions) -> Response:
    """One base price an endpoint: what a resolution or sound adds is not told."""
    endpoints = [one for one in request.query.get("endpoint_id", "").split(",") if one]
    rows = [
        {"endpoint_id": one, "unit_price": float(rate(one).base), "unit": rate(one).unit, "currency": "USD"}
        for one in endpoints
    ]
    return answer(request, {"prices": rows, "has_more": False, "next_cursor": None})


def _schema(request: Request, _: Actions) -> Response:
    endpoint = request.query.get("endpoint_id", "")
    return json_response(openapi(endpoint)) if "/" in endpoint else error(request, 404, "Not Found")


def openapi(endpoint: str) -> dict[str, object]:
    """The schema as fal writes it: files are plain strings, told by their names alone."""
    schema = SCHEMAS.get(endpoint) or _generic(endpoint)
    name = "".join(part.title() for part in endpoint.split("/")[-1].split("-"))
    fields = dict.fromkeys((*schema.required, *schema.files, *schema.lists, *schema.choices, *schema.other))
    inputs = {
        "type": "object",
        "title": f"{name}Input",
        "required": list(schema.required),
        "x-fal-order-properties": list(fields),
        "properties": {field: _property(schema, field) for field in fields},
    }
    result = "video" if kind_of(endpoint) is Kind.VIDEO else "images"
    outputs = {"type": "object", "title": f"{name}Output", "properties": {result: {"title": result.title()}}}
    category = "image-to-" if schema.files or schema.lists else "text-to-"
    category += "video" if result == "video" else "image"
    return {
        "openapi": "3.0.4",
        "info": {
            "title": f"Queue OpenAPI for {endpoint}",
            "version": "1.0.0",
            "x-fal-metadata": {"endpointId": endpoint, "category": category},
        },
        "components": {"schemas": {f"{name}Input": inputs, f"{name}Output": outputs}},
        "paths": _paths(endpoint, name),
    }


def _paths(endpoint: str, name: str) -> dict[str, object]:
    def content(schema: str) -> dict[str, object]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}

    result = {"get": {"responses": {"200": content(f"{name}Output")}}}
    return {
        f"/{endpoint}": {"post": {"requestBody": {"required": True, **content(f"{name}Input")}}},
        f"/{endpoint}/requests/{{request_id}}": result,
    }


def _generic(endpoint: str) -> Schema:
    files = ("image_url",) if "image-to-" in endpoint or endpoint.endswith("/edit") else ()
    return Schema(("prompt", *files), files=files, other=("aspect_ratio", "seed"))


def _property(schema: Schema, field: str) -> dict[str, object]:
    about: dict[str, object] = {"title": field.replace("_", " ").title(), "type": "string"}
    if field in schema.choices:
        return about | {"enum": list(schema.choices[field])}
    if field in schema.lists:
        return about | {"type": "array", "items": {"type": "string"}}
    return about | {"type": "integer"} if field == "seed" else about
