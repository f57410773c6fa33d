"""The JSON Schema for editors: it knows every file that loads, and refuses the obvious mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_content_pipeline.pipeline.schema import json_schema
from ai_content_pipeline.pipeline.source import loads
from ai_content_pipeline.steps.registry import STEP_TYPES

ROOT = Path(__file__).parents[2]
PIPELINES = sorted((ROOT / "input" / "pipelines").rglob("*.yaml"))
SCHEMA = json_schema()

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
_NOTES = {"$schema", "$defs", "title", "description", "default", "examples", "then"}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """The part of JSON Schema 2020-12 that the schema uses; any other keyword is an error."""
    return all(_keyword(value, schema, word, schema[word]) for word in schema if word not in _NOTES)


def _keyword(value: Any, schema: dict[str, Any], word: str, wanted: Any) -> bool:
    match word:
        case "$ref":
            return fits(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")])
        case "type":
            return any(_is(value, name) for name in ([wanted] if isinstance(wanted, str) else wanted))
        case "const" | "enum":
            return value in ([wanted] if word == "const" else wanted)
        case "anyOf":
            return any(fits(value, each) for each in wanted)
        case "allOf":
            return all(fits(value, each) for each in wanted)
        case "if":
            return not fits(value, wanted) or fits(value, schema["then"])
        case "required":
            return not isinstance(value, dict) or set(wanted) <= set(value)
        case "properties":
            return not isinstance(value, dict) or all(
                fits(value[key], each) for key, each in wanted.items() if key in value
            )
        case "additionalProperties":
            rest = set(value) - set(schema.get("properties", ())) if isinstance(value, dict) else ()
            return not rest or (
                wanted if isinstance(wanted, bool) else all(fits(value[k], wanted) for k in rest)
            )
        case "items":
            return not isinstance(value, list) or all(fits(each, wanted) for each in value)
        case "minItems":
            return not isinstance(value, list) or len(value) >= wanted
        case "maxItems":
            return not isinstance(value, list) or len(value) <= wanted
        case "minProperties":
            return not isinstance(value, dict) or len(value) >= wanted
        case "minLength" | "maxLength":
            return (
                not isinstance(value, str)
                or (len(value) >= wanted) is (word == "minLength")
                or len(value) == wanted
            )
        case "minimum" | "maximum":
            return not _is(value, "number") or (value >= wanted if word == "minimum" else value <= wanted)
    raise AssertionError(f"this test does not know {word!r}")


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_every_pipeline_of_ours_fits(path: Path) -> None:
    """An editor that uses the schema complains about none of the integration files."""
    assert fits(loads(path.read_text(encoding="utf-8")).data, SCHEMA)


STEP = "{type: text_to_image, model: draft, params: {prompt: Go}}"


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "steps: []",
        "steps: [{type: text_to_imge, model: draft}]",
        "steps: [{model: draft}]",
        "steps: [{type: text_to_image}]",
        "steps: [{type: text_to_image, model: draft, input: board}]",
        "steps: [{type: text_to_image, model: draft, promt: Go}]",
        "steps: [{type: text_to_image, model: draft, params: {max_workers: 0}}]",
        "steps: [{type: text_to_image, model: draft, params: {prompts: [1984]}}]",
        "steps: [{type: text_to_image, model: draft, params: {prompts: [{promt: Go}]}}]",
        "steps: [{type: image_to_video, model: draft, input: {strat: scenes}}]",
        "steps: [{type: split_image}]",
        "steps: [{type: split_image, params: {rows: 17, cols: 1}}]",
        "steps: [{type: thumbnail, input: {start: scenes}}]",
        "steps: [{type: thumbnail, params: {format: gif}}]",
        "steps: [{type: text_to_video, model: draft, input: clips}]",
        "steps: [{type: image_to_image, model: draft, input: {start: scenes}}]",
        "steps: [{type: upscale, input: clips}]",
        "steps: [{type: concat, params: {fit: stretch}}]",
        "steps: [{type: concat, params: {fps: 0}}]",
        f"{{seed: -1, steps: [{STEP}]}}",
        f"{{max_cost: five, steps: [{STEP}]}}",
        f"{{outputdir: out, steps: [{STEP}]}}",
        f"{{defaults: [thumbnail], steps: [{STEP}]}}",
        f"{{defaults: {{thumbnail: {{params: {{sise: 9}}}}}}, steps: [{STEP}]}}",
        f"{{defaults: {{thumbnail: {{name: x}}}}, steps: [{STEP}]}}",
        f"{{profiles: {{fast: draft}}, steps: [{STEP}]}}",
        f"{{profiles: {{fast: {{max_cost: five}}}}, steps: [{STEP}]}}",
        f"{{profiles: {{fast: {{text_to_image: {{modle: draft}}}}}}, steps: [{STEP}]}}",
        "{defaults: {text_to_image: {model: draft}}, steps: [{name: a}]}",
        "{profiles: {p: {text_to_image: {model: draft}}}, steps: [{type: text_to_image}]}",
        f"{{references: {{mia: {{image: a.png}}}}, steps: [{STEP}]}}",
        f"{{references: {{mia: {{images: []}}}}, steps: [{STEP}]}}",
        f"{{references: {{mia: {{images: [a.png], strength: 2}}}}, steps: [{STEP}]}}",
        f"{{references: {{mia: {{images: [{{stap: a}}]}}}}, steps: [{STEP}]}}",
        f"{{consistency_groups: {{both: mia}}, steps: [{STEP}]}}",
        "steps: [{type: text_to_image, model: draft, route: sideways}]",
        "steps: [{type: text_to_video, model: draft, keyframe: {modle: a}}]",
        "steps: [{type: upscale, model: draft, references: [mia]}]",
        "steps: [{type: text_to_image, model: draft, params: {prompts: [{references: 3}]}}]",
    ],
)
def test_the_obvious_mistakes_do_not_fit(text: str) -> None:
    """What the reader refuses by its keys and types, an editor underlines."""
    assert not fits(loads(text).data, SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        f"steps: [{STEP}]",
        f"{{env: {{STYLE: ink, N: 3, X: null}}, steps: [{STEP}]}}",
        "steps: [{type: image_to_video, model: draft, input: {start: a, end: ['a[1:]', b]}}]",
        "steps: [{type: image_to_video, model: draft, params: {prompts: [a, null, {prompt: b, seed: 3}]}}]",
        "steps: [{type: thumbnail, input: {files: '*.png'}}]",
        "steps: [{type: split_image, model: local, params: {grid: 2x2}}]",
        "steps: [{type: image_to_image, model: draft, input: {input: a, mask: b}, params: {num_images: 2}}]",
        "steps: [{type: upscale, model: draft, input: {files: ['*.mp4']}}]",
        "steps: [{type: concat, params: {size: 64x64, fit: crop, fps: 24, crossfade: 0.5}}]",
        "{defaults: {split_image: {params: {grid: 2x2}}}, steps: [{type: split_image}]}",
        "{defaults: {text_to_image: {model: draft}}, steps: [{type: text_to_image}]}",
        f"{{profiles: {{fast: {{max_cost: 1, a: {{enabled: false}}}}}}, steps: [{STEP}]}}",
        f"{{defaults: null, profiles: null, steps: [{STEP}]}}",
        f"{{references: {{mia: {{images: [a.png, {{step: 'b[0]'}}], strength: 0.5}}}}, steps: [{STEP}]}}",
        f"{{consistency_groups: {{both: [mia, tom]}}, steps: [{STEP}]}}",
        "steps: [{type: text_to_image, model: draft, references: mia, route: auto}]",
        "steps: [{type: text_to_video, model: draft, references: [mia], route: keyframe, keyframe: draft}]",
        "steps: [{type: text_to_video, model: draft, keyframe: {model: draft, params: {grid: 1x1}}}]",
        "steps: [{type: text_to_image, model: draft, params: {prompts: [{references: [], route: server}]}}]",
    ],
)
def test_every_form_of_a_key_fits(text: str) -> None:
    """Short and long forms of input, prompts and env are all known."""
    assert fits(loads(text).data, SCHEMA)


def test_each_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    """Every definition is used, and every reference is defined."""
    used = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(SCHEMA)))
    assert used == set(SCHEMA["$defs"])
    assert set(STEP_TYPES) <= used


def test_no_default_fits_its_own_schema_wrongly() -> None:
    """A default that the schema itself would refuse would mislead an editor."""
    for schema in _schemas(SCHEMA):
        assert "default" not in schema or fits(schema["default"], schema), schema


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "type" in node or "anyOf" in node or "$ref" in node:
            yield node
        for child in node.values():
            yield from _schemas(child)
    elif isinstance(node, list):
        for child in node:
            yield from _schemas(child)
