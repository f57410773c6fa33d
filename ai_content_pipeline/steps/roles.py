"""What a model's card says of the pictures it takes, against what its requests are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Kind, Pending, Role, Source
from ai_content_pipeline.catalog import Card
from ai_content_pipeline.steps.protocol import Fault, YamlPath

_NAMED = 4  # models that a hint names

Sources = Mapping[Role, tuple[Source, ...]]


@dataclass(frozen=True, slots=True)
class Given:
    """The files of one request: `who` is its item's address, `paths` where the file says each role's,
    `names` what people call them, one by one."""

    who: str
    card: Card
    sources: Sources
    paths: Mapping[Role, YamlPath]
    names: Mapping[Role, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Misfit:
    """`same` tells misfits apart that are one mistake, made for several items."""

    path: YamlPath
    same: tuple[object, ...]
    message: str
    hint: str


def undescribed(card: Card) -> bool:
    """True for an endpoint without a card, of whose fields nothing could be learnt from its vendor either."""
    return not card.described


def check_roles(requests: Iterable[Given]) -> list[Fault]:
    """Every file that a model does not take, lacks or finds too small; one fault for each mistake,
    however many items it meets."""
    found: dict[tuple[object, ...], list[_Misfit]] = {}
    for given in requests:
        for misfit in _misfits(given):
            found.setdefault((misfit.path, *misfit.same), []).append(misfit)
    return [_fault(misfits) for misfits in found.values()]


def _fault(misfits: list[_Misfit]) -> Fault:
    first, more = misfits[0], len(misfits) - 1
    others = f" (the same for {more} more item{'s' if more > 1 else ''})" if more else ""
    return Fault(first.path, first.message + others, first.hint)


def _misfits(given: Given) -> Iterator[_Misfit]:
    title, roles = given.card.title, given.card.roles
    pairs: set[frozenset[Role]] = set()
    for role, files in given.sources.items():
        path, field = given.paths[role], roles.get(role)
        if field is None:
            yield _not_taken(given, role, path)
            continue
        for file, name in zip(files, given.names[role], strict=True):
            if not field.accepts(file.kind):
                yield _wrong_kind(given, role, path, _name(file, name), file.kind, field.takes)
            else:
                yield from _too_small(given, role, path, file, name)
        for other in field.excludes:
            if given.sources.get(other) and frozenset((role, other)) not in pairs:
                pairs.add(frozenset((role, other)))
                message = f"{title} takes either {_a(role)} picture or {_a(other)} picture, not both"
                yield _Misfit(path, ("both", frozenset((role, other))), message, "remove one of them")
    yield from _missing(given)
    yield from _too_many(given)


def _wrong_kind(given: Given, role: Role, path: YamlPath, name: str, kind: Kind, wanted: Kind) -> _Misfit:
    able = _takers(given.card, role, kind)
    message = f"{given.card.title} takes {_a(wanted)} as its {role.value}, and {name} is {_a(kind)}"
    others = f", or use a model that takes {_a(kind)}: {', '.join(able)}" if able else ""
    hint = f"give it {_a(wanted)}{others}"
    return _Misfit(path, ("kind", role, given.card.title), message, hint)


def _takers(card: Card, role: Role, kind: Kind) -> list[str]:
    """Other models of the same tasks that take a file of `kind` in that role."""
    cards = map(catalog.load, catalog.keys())
    alike = (one for one in cards if set(card.tasks) & set(one.tasks) and role in one.roles)
    return [one.key for one in alike if one.roles[role].accepts(kind)][:_NAMED]


def _not_taken(given: Given, role: Role, path: YamlPath) -> _Misfit:
    card = given.card
    if undescribed(card):
        message = (
            f"nobody described {card.key}, so it is not known which field takes its {role.value} picture"
        )
        hint = (
            f"'aicp models show {card.key}' asks its vendor, or describe it in aicp.models.toml, or send a"
            " URL: 'model_params: {image_url: \"https://…\"}'"
        )
    else:
        takes = " and ".join(_a(one) for one in card.roles)
        message = f"{card.title} takes no {role.value} picture"
        able = catalog.local.able(card.tasks[0], role) if card.local else ()
        other = f"use {' or '.join(able)}" if able else "use another model"
        hint = f"remove it (it takes {takes} picture), or {other}" if takes else other
    return _Misfit(path, ("role", role, card.key), message, hint)


def _too_small(given: Given, role: Role, path: YamlPath, file: Source, name: str) -> Iterator[_Misfit]:
    least = given.card.roles[role].min_side
    size = file.info if isinstance(file, Artifact) else file
    if least is None or size.width is None or size.height is None or min(size.width, size.height) >= least:
        return
    message = (
        f"{_name(file, name)} is {size.width}x{size.height} pixels, too small for"
        f" {given.card.title}, which needs at least {least} on each side"
    )
    hint = (
        "make the picture it comes from larger, as with 'resolution: \"2K\"', or cut it into fewer tiles"
        if isinstance(file, Pending)
        else "use a larger picture"
    )
    yield _Misfit(path, ("small", role, given.card.key, isinstance(file, Pending)), message, hint)


def _missing(given: Given) -> Iterator[_Misfit]:
    for role, field in given.card.roles.items():
        sharing = [one for one, other in given.card.roles.items() if other.name == field.name]
        if field.required and not any(given.sources.get(one) for one in sharing):
            anywhere = next(iter(given.paths.values()), ("input",))
            message = f"{given.card.title} needs {_a(role)} picture, and {given.who} has none"
            key = "file" if role is Role.INPUT else role.value
            hint = f"write 'input: {{{role.value}: …}}', or '{key}' in its entry of 'prompts'"
            if role is Role.REFERENCE:
                hint = "write 'references' on the step or in an entry of its 'prompts'"
            if given.card.local and role is Role.START:
                hint += ", or use diffusers:wan2.1_vace_1.3b, which needs no start"
            yield _Misfit(anywhere, ("missing", role, given.card.key), message, hint)


def _too_many(given: Given) -> Iterator[_Misfit]:
    """Roles that share a field share its room."""
    for name in {field.name for role, field in given.card.roles.items() if given.sources.get(role)}:
        sharing = [role for role, field in given.card.roles.items() if field.name == name]
        field = given.card.roles[sharing[0]]
        count = sum(len(given.sources.get(role, ())) for role in sharing)
        most = field.max_items if field.many else 1
        if most is not None and count > most and field.kind == "files":
            role = next(role for role in sharing if given.sources.get(role))
            message = f"{given.card.title} takes at most {most} pictures as {role.value}, not {count}"
            yield _Misfit(given.paths[role], ("many", name, given.card.key), message, "remove some")


def _name(file: Source, label: str) -> str:
    if isinstance(file, Artifact):
        return f"your {'picture' if file.kind is Kind.IMAGE else 'video'} {label!r}"
    return f"the {file.frame.value.replace('_', ' ')} of {file.address}" if file.frame else file.address


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
