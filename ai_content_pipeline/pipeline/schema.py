"""The JSON Schema of pipeline files, for editors. The house's own checks say more, and say it better."""

from __future__ import annotations

from typing import Any, cast

from pydantic import TypeAdapter

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Route
from ai_content_pipeline.catalog import keys as all_keys
from ai_content_pipeline.pipeline.blocks import OWN_KEYS, TOP_KEYS
from ai_content_pipeline.pipeline.top import Top
from ai_content_pipeline.steps.fields import ModelFields
from ai_content_pipeline.steps.protocol import Step
from ai_content_pipeline.steps.registry import STEP_TYPES, step_type

#: What the readers accept and pydantic's own schema, made from the parsed form, does not know.
_ENTRY = {"anyOf": [{"type": ["string", "null"]}, {"$ref": "#/$defs/Entry"}]}
_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_NAMES = {
    "description": "References and groups of the top of the file.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
}
_ROUTE = {"enum": ["auto", *(route.value for route in Route)]}
_ENV = {
    "description": "The names of variables that values may use, with their defaults.",
    "anyOf": [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
        {"type": "null"},
    ],
}


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema with one branch a step type."""
    definitions: dict[str, Any] = {}
    required = {name: _step(name, definitions) for name in STEP_TYPES}
    top = TypeAdapter(Top).json_schema(ref_template="#/$defs/{model}")
    definitions |= {key: value for key, value in top.pop("$defs", {}).items() if key != "Selection"}
    definitions["OfStep"]["properties"]["step"] = {"type": "string"}
    top["properties"]["env"] = _ENV
    top["properties"]["max_cost"] = {"type": "number", "minimum": 0}
    steps = _by_type({name: {"$ref": f"#/$defs/{name}"} for name in STEP_TYPES})
    steps |= {"required": ["type"], "properties": {"type": {"enum": list(STEP_TYPES)}}}
    top["properties"]["steps"] = {"type": "array", "minItems": 1, "items": steps}
    top["required"] = ["steps"]
    _layers(top, definitions, required)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aicp pipeline",
        **{key: value for key, value in top.items() if key != "title"},
        "$defs": definitions,
    }


def _step(name: str, definitions: dict[str, Any]) -> list[str]:
    """Define a step type; the keys that its steps must have, if not their own then by ``defaults:``."""
    step = step_type(name)
    schema = TypeAdapter(step).json_schema(ref_template="#/$defs/{model}")
    shared = schema.pop("$defs", {})
    definitions |= {
        key: value for key, value in shared.items() if key not in ("InputSpec", "Route", "Selection")
    }
    properties = schema["properties"]
    properties["type"] = {"const": name}
    properties["params"].pop("default", None)
    _input(properties, cast(type[Step], step))
    for block in (properties, shared.get("Entry", {}).get("properties", {})):
        block |= {key: value for key, value in (("references", _NAMES), ("route", _ROUTE)) if key in block}
    if "keyframe" in properties:
        whole = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Keyframe"}]}
        properties["keyframe"] = {"description": "How the stills of two stages are made.", **whole}
    if issubclass(step, ModelFields):
        keys = [key for key in all_keys() if step.task in catalog.load(key).tasks]
        properties["model"] = {**properties["model"], "examples": [*keys, catalog.DRAFT.key]}
        definitions["ModelParams"]["properties"]["prompts"] = {
            "type": "array",
            "items": _ENTRY,
            "minItems": 1,
        }
    required = [key for key in schema.pop("required", ()) if key not in ("name", "type")]
    definitions[name] = schema
    return required


def _input(properties: dict[str, Any], step: type[Step]) -> None:
    """``input`` in the forms that the step takes."""
    del properties["input"]
    if not step.takes:
        return
    named = [role.value for role in step.takes if len(step.takes) > 1]
    form = {"type": "object", "additionalProperties": False, "minProperties": 1}
    properties["input"] = {
        "description": 'A step, a slice "scenes[1:]", an item scenes/scene_2, a list of those, or files.',
        "anyOf": [*_TEXTS["anyOf"], {**form, "properties": dict.fromkeys((*named, "files"), _TEXTS)}],
    }


def _layers(top: dict[str, Any], definitions: dict[str, Any], required: dict[str, list[str]]) -> None:
    """``defaults:`` and ``profiles:``; without the former, a step states what it needs itself."""
    some = {"type": "object"}
    for name in STEP_TYPES:
        own = definitions[name]["properties"].items()
        given = {key: value for key, value in own if key not in OWN_KEYS}
        definitions[f"{name}_block"] = {**some, "properties": given, "additionalProperties": False}
    blocks = {name: {"$ref": f"#/$defs/{name}_block"} for name in STEP_TYPES}
    values = {key: value for key, value in top["properties"].items() if key in TOP_KEYS}
    profile = {**some, "properties": {**values, **blocks}, "additionalProperties": some}
    for key, words, schema in (
        ("defaults", "by step type or step name: what its steps have in common", blocks),
        ("profiles", "by name: values that --profile NAME lays over the defaults", {}),
    ):
        rest = profile if key == "profiles" else some
        shape = {**some, "properties": schema, "additionalProperties": rest}
        top["properties"][key] = {"description": words, "anyOf": [shape, {"type": "null"}]}
    needed = {name: {"required": keys} for name, keys in required.items() if keys}
    top["allOf"] = [
        {
            "if": {"properties": {"defaults": {"const": None}}},
            "then": {"properties": {"steps": {"items": _by_type(needed)}}},
        }
    ]


def _by_type(branches: dict[str, Any]) -> dict[str, Any]:
    """Branches chosen by `type`, so that an editor complains about the right one."""
    return {
        "type": "object",
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": branch}
            for name, branch in branches.items()
        ],
    }
