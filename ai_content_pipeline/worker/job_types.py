"""The table from a job's type to a model: ours, and what the operator adds in a file of the same form."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.errors import ConfigurationError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Defaults(BaseModel):
    """What is used where a job says nothing. Pixels; frames a second."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(default=1024, ge=16, le=8192)
    height: int = Field(default=1024, ge=16, le=8192)
    num_inference_steps: int = Field(default=25, ge=1, le=200)
    guidance_scale: float = Field(default=7.5, ge=0, le=50)
    num_frames: int = Field(default=81, ge=1, le=1001)
    fps: int = Field(default=16, ge=1, le=60)


class JobType(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    makes: Literal["image", "video"]
    model: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    profile: Name | None = None
    batch: int = Field(default=1, ge=1, le=16)
    multiple: int = Field(default=8, ge=1, le=64)
    frames: int = Field(default=1, ge=1, le=64)
    defaults: Defaults = Defaults()

    @property
    def kind(self) -> Kind:
        return Kind(self.makes)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    types: dict[Name, JobType] = {}
    modes: dict[Name, Name] = {}


@dataclass(frozen=True, slots=True)
class JobTypes:
    types: Mapping[str, JobType]
    modes: Mapping[str, str]


def read_job_types(extra: Path | None = None) -> JobTypes:
    """The table.

    Raises:
        ConfigurationError: the operator's file cannot be read or makes no sense.
    """
    built_in = _parsed((files(__package__) / "job_types.toml").read_text(encoding="utf-8"), "job_types.toml")
    more = _File() if extra is None else _parsed(_text(extra), str(extra))
    table = JobTypes({**built_in.types, **more.types}, {**built_in.modes, **more.modes})
    for mode, name in table.modes.items():
        if name not in table.types:
            raise ConfigurationError(f"{extra}: the mode {mode} is for the type {name}, which is not there")
    return table


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--job-types {path} cannot be read: {error}") from error


def _parsed(text: str, name: str) -> _File:
    try:
        return _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()[:5]
        )
        raise ConfigurationError(f"{name}: {said}") from error
