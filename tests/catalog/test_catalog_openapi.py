"""Vendors' OpenAPI documents as typed fields: references, branches, limits, and what takes pictures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind, Role
from ai_content_pipeline.catalog import detection, kept, live, openapi
from ai_content_pipeline.catalog.live import LiveSchema
from ai_content_pipeline.catalog.openapi import Field, UnreadableSchema
from ai_content_pipeline.jobs import Task

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECORDED = Path(__file__).parents[1] / "schemas"

#: As fal writes them: several inputs in one document, files as plain strings, null as a branch.
FAL: dict[str, Any] = {
    "openapi": "3.0.4",
    "info": {"title": "x", "x-fal-metadata": {"endpointId": "me/clip", "category": "image-to-video"}},
    "paths": {
        "/me/clip": {
            "post": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ClipInput"}}}
                }
            }
        },
        "/me/clip/requests/{request_id}": {"get": {}},
    },
    "components": {
        "schemas": {
            "ClipInput": {
                "type": "object",
                "required": ["prompt", "image_url", "mode"],
                "x-fal-order-properties": ["prompt", "image_url"],
                "properties": {
                    "prompt": {"type": "string", "maxLength": 2500},
                    "image_url": {"type": "string", "description": "The first frame"},
                    "tail_image_url": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Tail"},
                    "end_image_url": {
                        "type": "string",
                        "description": "Accepted for backwards compatibility and ignored.",
                    },
                    "old_image_url": {"type": "string", "deprecated": True},
                    "duration": {"allOf": [{"$ref": "#/components/schemas/Duration"}], "default": "5"},
                    "mode": {"type": "string", "enum": ["std", "pro"], "default": "std"},
                    "image_size": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/ImageSize"},
                            {"type": "string", "enum": ["square", "portrait_4_3"]},
                        ]
                    },
                    "cfg_scale": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
                    "steps": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 51},
                    "old_steps": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                    "speed": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
                    "strength": {"oneOf": [{"type": "integer", "maximum": 9}, {"type": "string"}]},
                    "seed": {"type": ["integer", "null"]},
                    "aspect_ratio": {
                        "type": "string",
                        "description": "Ignored when an image is given.",
                        "enum": ["16:9", "9:16"],
                    },
                    "audio_url": {"type": "string"},
                    "lora_url": {"type": "string"},
                    "webhook_url": {"type": "string", "format": "uri"},
                    "reference_image_urls": {"type": "array", "items": {"type": "string"}, "maxItems": 4},
                    "loop": {"$ref": "#/components/schemas/Loop"},
                    "camera": {"$ref": "https://elsewhere.example/Camera"},
                    "styles": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                },
            },
            "OtherInput": {"type": "object", "properties": {"other": {"type": "string"}}},
            "Duration": {"type": "string", "enum": ["5", "10"]},
            "ImageSize": {"type": "object", "properties": {"width": {"type": "integer"}}},
            "Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}], "type": "boolean"},
        }
    },
}
#: As Replicate writes them: enums beside the input, order by number, files as uris.
REPLICATE: dict[str, Any] = {
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "required": ["prompt"],
                "properties": {
                    "seed": {"type": "integer", "x-order": 3, "nullable": True},
                    "prompt": {"type": "string", "x-order": 0},
                    "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "x-order": 1},
                    "input_image": {"type": "string", "format": "uri", "x-order": 2},
                    "subject_reference": {"type": "string", "format": "uri", "x-order": 4},
                    "song": {"type": "string", "format": "uri", "description": "Audio to use", "x-order": 5},
                    "drawing": {"type": "string", "format": "uri", "description": "An image", "x-order": 6},
                    "image": {"type": "array", "items": {"type": "string", "format": "uri"}, "x-order": 7},
                },
            },
            "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9"]},
        }
    }
}


def fal_schema() -> LiveSchema:
    return kept.schema_of("fal", "me/clip", FAL, NOON, None)


def replicate_schema() -> LiveSchema:
    return kept.schema_of("replicate", "me/picture", REPLICATE, NOON, None)


def field(schema: LiveSchema, name: str) -> Field:
    found = schema.field(name)
    assert found is not None
    return found


def test_the_posts_own_schema_is_read() -> None:
    """The input is what the endpoint's POST refers to, and not the last schema with such a name."""
    schema = fal_schema()
    assert schema.field("other") is None
    assert (schema.category, schema.task) == ("image-to-video", Task.IMAGE_TO_VIDEO)
    assert [one.name for one in schema.fields[:2]] == ["prompt", "image_url"]


def test_a_redirected_endpoint_has_another_path() -> None:
    """The path of a redirected model carries its new name; the one POST there counts, of two none does."""
    assert openapi.fal_input(FAL, "me/old-name") == openapi.fal_input(FAL, "me/clip")
    two = {**FAL, "paths": {**FAL["paths"], "/me/other": FAL["paths"]["/me/clip"]}}
    assert openapi.fal_input(two, "me/clip")
    with pytest.raises(UnreadableSchema, match="no POST"):
        openapi.fal_input(two, "me/old-name")


def test_references_and_branches_are_resolved() -> None:
    """`$ref`, `allOf`, `anyOf` and `oneOf` come to one type; null is no branch; loops end."""
    schema = fal_schema()
    assert (field(schema, "duration").type, field(schema, "duration").enum) == ("string", ("5", "10"))
    assert field(schema, "duration").default == "5"
    assert field(schema, "tail_image_url").type == "string"
    assert (field(schema, "image_size").type, field(schema, "image_size").enum) == (
        "object",
        ("square", "portrait_4_3"),
    )
    assert field(schema, "speed").type == "number"
    assert (field(schema, "strength").type, field(schema, "strength").maximum) == ("any", None)
    assert field(schema, "seed").type == "integer"
    assert field(schema, "loop").type == "boolean"
    assert field(schema, "camera").type == "any"
    assert (field(schema, "styles").type, field(schema, "styles").items) == ("array", "string")


def test_limits_that_are_excluded_move_by_one() -> None:
    """Both forms of an exclusive limit, of whole numbers; and a field with a default is not required."""
    schema = fal_schema()
    assert (field(schema, "steps").minimum, field(schema, "steps").maximum) == (1, 50)
    assert field(schema, "old_steps").minimum == 1
    assert (field(schema, "cfg_scale").minimum, field(schema, "cfg_scale").maximum) == (0, 1)
    assert field(schema, "image_url").required
    assert not field(schema, "mode").required


def test_replicate_fields_come_in_its_order() -> None:
    """`x-order` orders, and enums stand beside the input."""
    schema = replicate_schema()
    assert [one.name for one in schema.fields][:4] == ["prompt", "aspect_ratio", "input_image", "seed"]
    assert field(schema, "aspect_ratio").enum == ("1:1", "16:9")


def test_roles_come_from_names_formats_and_words() -> None:
    """fal's files are known by name, Replicate's by format; sound, weights and callbacks are none."""
    found = {
        one.field.name: one.role for one in detection.file_fields(fal_schema().fields, Task.IMAGE_TO_VIDEO)
    }
    assert found == {
        "image_url": Role.START,
        "tail_image_url": Role.END,
        "reference_image_urls": Role.REFERENCE,
    }
    ours = {one.field.name for one in detection.file_fields(replicate_schema().fields, Task.IMAGE_TO_IMAGE)}
    assert ours == {"input_image", "subject_reference", "drawing", "image"}


@pytest.mark.parametrize(
    ("text", "heeded"),
    [
        ("The last frame.", True),
        ("(Deprecated) The last frame.", False),
        ("Accepted for backwards compatibility and ignored.", False),
        ("This has no effect.", False),
        ("No longer supported.", False),
        ("Ignored if an image is given.", True),
        ("It is ignored when resolution is 1080p.", True),
        ("This field is ignored.", False),
    ],
)
def test_fields_that_change_nothing_are_refused(text: str, heeded: bool) -> None:
    """A picture field that is deprecated or documented as ignored takes no picture; a condition is no end."""
    one = Field("end_image_url", "string", text=text)
    assert [f.role for f in detection.file_fields([one], Task.IMAGE_TO_VIDEO)] == [Role.END] * heeded
    assert live.parameter(one).deprecated is not heeded
    assert not list(
        detection.file_fields([Field("end_image_url", "string", deprecated=True)], Task.IMAGE_TO_VIDEO)
    )


@pytest.mark.parametrize(
    ("name", "task", "role", "kind"),
    [
        ("image_url", Task.IMAGE_TO_VIDEO, Role.START, Kind.IMAGE),
        ("image_url", Task.IMAGE_TO_IMAGE, Role.INPUT, Kind.IMAGE),
        ("image_url", Task.REFERENCE_TO_VIDEO, Role.REFERENCE, Kind.IMAGE),
        ("first_frame_url", Task.IMAGE_TO_VIDEO, Role.START, Kind.IMAGE),
        ("last_frame_url", Task.IMAGE_TO_VIDEO, Role.END, Kind.IMAGE),
        ("mask_url", Task.IMAGE_TO_IMAGE, Role.MASK, Kind.IMAGE),
        ("face_image_url", Task.TEXT_TO_IMAGE, Role.REFERENCE, Kind.IMAGE),
        ("video_url", Task.UPSCALE, Role.INPUT, Kind.VIDEO),
        ("image", Task.UPSCALE, Role.INPUT, Kind.IMAGE),
    ],
)
def test_one_name_has_the_role_of_its_task(name: str, task: Task, role: Role, kind: Kind) -> None:
    """`image_url` alone may be a first frame, something to edit or a subject: the task says which."""
    (found,) = detection.file_fields([Field(name, "string")], task)
    assert (found.role, found.takes) == (role, kind)


@pytest.mark.parametrize("name", ["prompt", "style", "image_size", "model_url", "image_format", "reference"])
def test_words_in_other_fields_are_no_pictures(name: str) -> None:
    """A text that only sounds like a picture is a parameter."""
    assert not detection.file_fields([Field(name, "string")], Task.IMAGE_TO_VIDEO)


@pytest.mark.parametrize("key", catalog.keys())
def test_detection_finds_what_the_cards_say(key: str) -> None:
    """From the recorded schemas, whose descriptions are gone, the same fields are found for every card;
    for the tasks that send pictures in the same roles."""
    card = catalog.load(key)
    recorded = json.loads((RECORDED / f"{card.provider}.json").read_text(encoding="utf-8"))
    node = recorded[card.endpoint.partition(":")[0]]
    schema = LiveSchema(card.provider, card.endpoint, NOON, openapi._fields(node, node))
    for task in card.tasks:
        roles = {role: field for role, field in card.roles.items() if field.kind != "elements"}
        ours = {role: (field.name, field.many) for role, field in roles.items()}
        found = {role: (field.name, field.many) for role, field in live.roles_of(schema, task).items()}
        if task is Task.TEXT_TO_IMAGE:
            assert set(found.values()) == set(ours.values())
        elif key == "wan_2_7":  # also takes a clip to go on from, which no step sends
            assert found.pop(Role.INPUT) == ("video_url", False)
            assert found == ours
        else:
            assert found == ours


def test_a_card_is_made_of_a_schema() -> None:
    """Prompt, seed, files and count are the house's; the rest are parameters, ignored ones as such."""
    card = live.card_of("fal:me/clip", fal_schema(), Task.IMAGE_TO_VIDEO)
    assert card.parameters is not None
    assert (card.prompt, card.prompt_required, card.seed, card.price) == ("prompt", True, "seed", None)
    assert not {"prompt", "seed", "image_url", "tail_image_url"} & set(card.parameters)
    assert [m.message for m in catalog.check(card, Task.IMAGE_TO_VIDEO, {"duration": 6})] == [
        'duration is "6"; fal:me/clip takes "5", "10"'
    ]
    assert catalog.check(card, Task.IMAGE_TO_VIDEO, {"duration": 5, "image_size": {"width": 3}}) == ()
    (ignored,) = catalog.check(card, Task.IMAGE_TO_VIDEO, {"end_image_url": "https://x.example/a.png"})
    assert ignored.message == "fal:me/clip no longer heeds end_image_url"


@pytest.mark.parametrize(
    "document", [None, [], {}, {"paths": 3}, {"paths": {"/me/clip": {"post": None}}}, "x"]
)
def test_what_is_no_schema_is_refused(document: Any) -> None:
    """A document that names no input is an error in words, whatever it is."""
    with pytest.raises(UnreadableSchema):
        openapi.fal_input(document, "me/clip")
    with pytest.raises(UnreadableSchema):
        openapi.replicate_input(document)


def test_a_schema_that_contains_itself_twice_is_read_at_once() -> None:
    """Loops end where they begin: one that doubles at every turn costs nothing."""
    itself = [{"$ref": "#/components/schemas/Loop"}] * 3
    loop = {"allOf": itself, "anyOf": itself, "type": "string"}
    document = {"components": {"schemas": {"Loop": loop, "Input": {"properties": {"x": {"anyOf": itself}}}}}}
    assert [one.type for one in openapi.replicate_input(document)] == ["string"]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("#/components/schemas/Input"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$ref", "allOf", "anyOf", "type", "enum", "items", "properties", "required", "const"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["image_url", "prompt", "seed", "duration"]), junk, min_size=1))
def test_any_document_is_read_or_refused(properties: dict[str, Any]) -> None:
    """Whatever stands in a schema, reading it ends and raises nothing of its own."""
    document = {"components": {"schemas": {"Input": {"properties": properties}}}}
    schema = kept.schema_of("replicate", "me/x", document, NOON, None)
    card = live.card_of("replicate:me/x", schema, Task.IMAGE_TO_VIDEO)
    catalog.check(card, Task.IMAGE_TO_VIDEO, {"duration": 5, "image_url": "x", "other": None})
