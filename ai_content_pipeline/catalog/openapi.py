"""Vendors' OpenAPI documents: the fields that a model takes, with references resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_DEPTH = 24  # references and branches within one field; a loop ends here
_MOST_FIELDS = 500
_TEXT = 500  # characters of a description that are kept
_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_MERGED = ("allOf", "anyOf", "oneOf")

Node = Mapping[str, Any]  # a schema as it stands in the document


class UnreadableSchema(ValueError):
    """A document that describes no input. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model's input. `type` as in `Parameter.type`; `uri`: its value, or each entry of its
    list, is said to be an address."""

    name: str
    type: str
    items: str | None = None
    required: bool = False
    uri: bool = False
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_items: int | None = None
    default: Any = None
    deprecated: bool = False
    text: str = field(default="", repr=False)  # title and description


def fal_input(document: object, endpoint: str) -> tuple[Field, ...]:
    """The fields of fal's queue document: what the POST of its path takes.

    A redirected model's path carries another name than the endpoint, so the one POST there is counts.
    Raises UnreadableSchema.
    """
    root = _object(document)
    posts = {
        path: _object(node)["post"]
        for path, node in _object(root.get("paths")).items()
        if "post" in _object(node)
    }
    post = posts.get(f"/{endpoint}") or (next(iter(posts.values())) if len(posts) == 1 else None)
    if post is None:
        raise UnreadableSchema("it names no POST for the endpoint")
    body = _object(_object(_object(post).get("requestBody")).get("content")).get("application/json")
    return _fields(_object(body).get("schema"), root)


def fal_category(document: object) -> str | None:
    """fal's own word for what the endpoint does, such as ``image-to-video``."""
    about = _object(_object(_object(document).get("info")).get("x-fal-metadata"))
    category = about.get("category")
    return category if isinstance(category, str) else None


def replicate_input(document: object) -> tuple[Field, ...]:
    """The fields of a Replicate version's ``openapi_schema``. Raises UnreadableSchema."""
    root = _object(document)
    return _fields(_object(_object(root.get("components")).get("schemas")).get("Input"), root)


# -- nodes ---------------------------------------------------------------------------------------------


def _fields(node: object, root: Node) -> tuple[Field, ...]:
    whole = _resolved(_object(node), root)
    properties = _object(whole.get("properties"))
    if not properties:
        raise UnreadableSchema("it names no input fields")
    required = whole.get("required")
    needed = frozenset(filter(_is_text, required)) if isinstance(required, list) else frozenset()
    ordered = sorted(properties, key=lambda name: _order(_object(properties[name])))
    return tuple(
        _field(name, _object(properties[name]), root, name in needed) for name in ordered[:_MOST_FIELDS]
    )


def _order(node: Node) -> float:
    order = node.get("x-order")
    return order if isinstance(order, int) else 0  # sorting is stable: fal's order stays


def _field(name: str, node: Node, root: Node, required: bool) -> Field:
    whole = _resolved(node, root)
    items = _resolved(_object(whole.get("items")), root)
    kind = _type(whole)
    words = (whole.get("title"), whole.get("description"))
    text = ". ".join(word.strip() for word in words if isinstance(word, str))
    return Field(
        name=name,
        type=kind,
        items=_type(items) if kind == "array" and items else None,
        required=required and "default" not in whole,
        uri=whole.get("format") in ("uri", "url") or items.get("format") in ("uri", "url"),
        enum=_enum(whole) if kind != "array" else (),
        minimum=_bound(whole, "minimum", "exclusiveMinimum", 1),
        maximum=_bound(whole, "maximum", "exclusiveMaximum", -1),
        max_items=_whole_number(whole.get("maxItems")),
        default=whole.get("default"),
        deprecated=whole.get("deprecated") is True,
        text=text[:_TEXT],
    )


def _resolved(
    node: Node, root: Node, depth: int = _DEPTH, within: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """A node with its references followed and its branches folded in; what it says itself wins.

    `within`: the references that led here; one of these again is a loop, and says nothing new.
    Of ``anyOf`` and ``oneOf`` the null is dropped; several branches become one that holds them all.
    """
    if not depth:
        return {}
    result: dict[str, Any] = {}
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in within:
        result |= _resolved(_target(reference, root), root, depth - 1, within | {reference})
    for part in _nodes(node.get("allOf")):
        result = _both(result, _resolved(part, root, depth - 1, within))
    for word in ("anyOf", "oneOf"):
        branches = [_resolved(part, root, depth - 1, within) for part in _nodes(node.get(word))]
        result |= _either([branch for branch in branches if branch.get("type") != "null"])
    own = {name: value for name, value in node.items() if name != "$ref" and name not in _MERGED}
    return _both(result, own)


def _both(one: dict[str, Any], other: Node) -> dict[str, Any]:
    """What holds where both do: properties and required fields add up."""
    merged = {**one, **other}
    for name in ("properties", "required"):
        if name in one and name in other:
            first, second = one[name], other[name]
            if isinstance(first, dict) and isinstance(second, dict):
                merged[name] = {**first, **second}
            elif isinstance(first, list) and isinstance(second, list):
                merged[name] = [*first, *second]
    return merged


def _either(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """One node for several branches: all their values, all their types, the widest bounds."""
    if len(branches) < 2:
        return branches[0] if branches else {}
    merged: dict[str, Any] = {}
    for branch in branches:
        merged = {**branch, **merged}
    kinds = {_type(branch) for branch in branches}
    merged["type"] = kinds.pop() if len(kinds) == 1 else "number" if kinds == {"integer", "number"} else None
    if kinds == {"string", "object"}:
        merged["type"] = "object"  # a listed word, or a mapping in its place
    listed = [branch["enum"] for branch in branches if isinstance(branch.get("enum"), list)]
    open_ended = any("enum" not in branch and _type(branch) != "object" for branch in branches)
    merged.pop("enum", None)
    if listed and not open_ended:
        merged["enum"] = [value for values in listed for value in values]
    for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxItems"):
        if not all(bound in branch for branch in branches):
            merged.pop(bound, None)
    return merged


def _target(reference: str, root: Node) -> Node:
    """What a reference within the document leads to; nothing for any other."""
    if not reference.startswith("#/"):
        return {}
    node: object = root
    for part in reference[2:].split("/"):
        node = _object(node).get(part.replace("~1", "/").replace("~0", "~"))
    return _object(node)


def _type(node: Node) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    if isinstance(kind, str) and kind in _TYPES:
        return str(kind)
    if isinstance(node.get("properties"), dict):
        return "object"
    values = _enum(node)
    return "string" if values and all(map(_is_text, values)) else "any"


def _enum(node: Node) -> tuple[Any, ...]:
    values = [node["const"]] if "const" in node else node.get("enum")
    return tuple(value for value in values if value is not None) if isinstance(values, list) else ()


def _bound(node: Node, name: str, exclusive: str, step: int) -> float | None:
    """A limit. One that is itself excluded is the next whole number; of fractions there is no next."""
    limit, beyond = _number(node.get(name)), node.get(exclusive)
    whole = _type(node) == "integer"
    if beyond is True and limit is not None:
        return limit + step if whole else limit
    further = _number(beyond)
    if limit is None and further is not None:
        return further + step if whole else further
    return limit


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _object(value: object) -> Node:
    return value if isinstance(value, dict) else {}


def _nodes(value: object) -> Iterator[Node]:
    yield from (part for part in value if isinstance(part, dict)) if isinstance(value, list) else ()
