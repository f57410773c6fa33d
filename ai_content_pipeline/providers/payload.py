"""From a request to the JSON that a vendor is sent: what the user set, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.errors import UsageError
from ai_content_pipeline.jobs import JobRequest, Json, Model, Upload


def payload_of(
    request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
) -> dict[str, Json]:
    """Prompt, parameters, seed and uploaded files under the names of the model's schema.

    Roles that share a field share its list, in the order of `Role`: what is worked on before references.

    Raises:
        UsageError: the model takes no file of a role, or takes one where there are several.
    """
    model = request.model
    payload: dict[str, Json] = {}
    if model.prompt_field is not None and request.prompt is not None:
        payload[model.prompt_field] = request.prompt
    payload |= request.params
    if model.seed_field is not None and seed is not None:
        payload[model.seed_field] = seed
    return payload | _files(model, uploads, request.groups)


def _files(
    model: Model, uploads: Mapping[Role, tuple[Upload, ...]], groups: tuple[int, ...]
) -> dict[str, Json]:
    found: dict[str, list[Json]] = {}
    for role in Role:
        urls: list[Json] = [file.url for file in uploads.get(role, ())]
        if not urls:
            continue
        field = model.fields.get(role)
        if field is None:
            raise UsageError(f"{model.name} takes no {role.value} file", hint="choose a model that does")
        found.setdefault(field.name, []).extend(_elements(urls, groups) if field.kind == "elements" else urls)
        if not field.many and len(found[field.name]) > 1:
            count = len(found[field.name])
            raise UsageError(f"{model.name} takes one {role.value} file, and there are {count}")
    lists = {field.name for field in model.fields.values() if field.many}
    return {name: urls if name in lists else urls[0] for name, urls in found.items()}


def _elements(urls: list[Json], groups: tuple[int, ...]) -> list[Json]:
    """Each subject with its pictures: the first is its front, the others show it from elsewhere.

    A subject of one picture gives that one for both: the vendor wants at least one of the others.
    """
    found: list[Json] = []
    left = list(urls)
    for size in groups or (len(urls),):
        front, *others = left[:size]
        left = left[size:]
        found.append({"frontal_image_url": front, "reference_image_urls": [*others] or [front]})
    return found
