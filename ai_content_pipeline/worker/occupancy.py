"""Who has a workspace: one worker at a time."""

from __future__ import annotations

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.generation.owners import Owners
from ai_content_pipeline.worker.settings import Settings


def alone(settings: Settings) -> Owners:
    """The lock on a workspace, until it is closed: two workers on one queue would run its jobs twice.

    Raises:
        ConfigurationError: another worker has it, or it cannot be written.
    """
    folder = settings.state / "owners"
    try:
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        owners = Owners(folder)
    except OSError as error:
        raise ConfigurationError(f"{settings.state} cannot be written: {error.strerror}") from error
    others = [path.stem for path in folder.glob("*.lock") if path.stem != owners.me]
    if any(owners.alive(other) for other in others):
        owners.close()
        raise ConfigurationError(
            f"another worker runs in {settings.workspace}",
            hint="end it, or give this one its own --workspace",
        )
    return owners
