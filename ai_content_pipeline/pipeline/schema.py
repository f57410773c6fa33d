"""The JSON Schema of pipeline files, for editors. The house's own checks say more, and say it better."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from ai_content_pipeline import catalog
from ai_content_pipeline.pipeline.top import Top
from ai_content_pipeline.steps.registry import STEP_TYPES, step_type

#: What the readers accept and pydantic's own schema, made from the parsed form, does not know.
_ENTRY = {
    "anyOf": [
        {"type": ["string", "null"]},
        {"$ref": "#/$defs/Entry"},
    ]
}
_INPUT = {
    "description": 'A step, a slice like "scenes[1:]", an item like scenes/scene_2, a list, roles or files.',
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                role: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
                for role in ("start", "end", "files")
            },
        },
    ],
}


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema with one branch a step type."""
    definitions: dict[str, Any] = {}
    branches = [_step(name, definitions) for name in STEP_TYPES]
    top = TypeAdapter(Top).json_schema(ref_template="#/$defs/{model}")
    definitions |= top.pop("$defs", {})
    top["properties"]["max_cost"] = {"type": "number", "minimum": 0}
    top["properties"]["steps"] = {"type": "array", "minItems": 1, "items": _one_of(branches)}
    top["required"] = ["steps"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aicp pipeline",
        **{key: value for key, value in top.items() if key != "title"},
        "$defs": definitions,
    }


def _step(name: str, definitions: dict[str, Any]) -> dict[str, str]:
    schema = TypeAdapter(step_type(name)).json_schema(ref_template="#/$defs/{model}")
    definitions |= schema.pop("$defs", {})
    properties = schema["properties"]
    properties["type"] = {"const": name}
    properties["input"] = _INPUT
    if "model_params" in properties:
        properties["model"] = {"type": "string", "examples": list(catalog.keys()), **properties["model"]}
        definitions["ModelParams"]["properties"]["prompts"] = {
            "type": "array",
            "items": _ENTRY,
            "minItems": 1,
        }
    schema["required"] = [key for key in schema.get("required", ()) if key != "name"]
    definitions[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def _one_of(branches: list[dict[str, str]]) -> dict[str, Any]:
    """Branches chosen by `type`, so that an editor complains about the right one."""
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(STEP_TYPES)}},
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}}, "then": branch}
            for name, branch in zip(STEP_TYPES, branches, strict=True)
        ],
    }
