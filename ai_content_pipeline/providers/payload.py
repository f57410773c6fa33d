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
    for role, files in uploads.items():
        if files:
            payload |= _files(model, role, [file.url for file in files])
    return payload


def _files(model: Model, role: Role, urls: list[str]) -> dict[str, Json]:
    field = model.fields.get(role)
    if field is None:
        raise UsageError(f"{model.name} takes no {role.value} file", hint="choose a model that does")
    if field.many:
        return {field.name: list(urls)}
    if len(urls) > 1:
        raise UsageError(f"{model.name} takes one {role.value} file, and there are {len(urls)}")
    return {field.name: urls[0]}
