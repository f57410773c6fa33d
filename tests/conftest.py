"""No test can spend or call out: keys are gone, and only loopback answers."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.plan import Plan, make_plan
from ai_content_pipeline.engine.results import RunResult
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.workshop import Workshop, open_workshop
from ai_content_pipeline.generation.clock import Clock
from ai_content_pipeline.pipeline.expansion import Expansion, expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.project import Project, find_project
from ai_content_pipeline.providers.fake import FakeProvider, FakeVendor
from ai_content_pipeline.providers.protocol import Surroundings

_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_LOOPBACK = {"127.0.0.1", "::1", "localhost", b"127.0.0.1", ""}


# Machines are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_configure() -> None:
    """Started in the background (``pytest &``, nohup), signals may be ignored, and whatever a test starts and
    means to interrupt would inherit that."""
    for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the machine that runs the tests must not leak into them."""
    for name in list(os.environ):
        if any(word in name for word in _SECRETS) or name.startswith("AICP_"):
            monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            raise OSError(f"tests may not connect to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@dataclass
class Studio:
    """A project in a temporary folder whose vendors are fakes: write a YAML, run it, look at the result."""

    root: Path
    vendor: FakeVendor
    events: list[events.Event] = field(default_factory=list)
    repeatable: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: {"AICP_RECONCILE_GRACE": "0.2"})
    clock: Clock | None = None
    runs: int = 0

    @property
    def project(self) -> Project:
        return find_project(self.root)

    def write(self, text: str, name: str = "pipeline.yaml") -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path

    def expand(self, text: str, *, draft: bool = False) -> Expansion:
        return expand(load_pipeline(self.write(text), environ=self.environ), draft=draft)

    def run(
        self,
        text: str,
        *,
        redo: str | None = None,
        draft: bool = False,
        emit: Callable[[events.Event], None] | None = None,
        **options: Any,
    ) -> RunResult:
        expansion = self.expand(text, draft=draft)
        parts = Path(expansion.pipeline.top.output_dir).parts
        self.runs += 1
        settings = RunOptions(
            self.root,
            parts,
            f"run-{self.runs}",
            lambda address: f"aicp redo {address}",
            redo,
            **options,
        )
        with self.workshop() as workshop:
            return run(expansion, workshop, settings, emit or self.events.append)

    def workshop(self) -> AbstractContextManager[Workshop]:
        download = self.vendor.download if self.vendor.links else None
        return open_workshop(
            self.project, self.environ, clock=self.clock, factories=self.factories, download=download
        )

    def plan(self, text: str, *, redo: str | None = None, draft: bool = False) -> Plan:
        """What `run` would do."""
        expansion = self.expand(text, draft=draft)
        with self.workshop() as workshop:
            return make_plan(expansion, workshop.store, workshop.artifacts, redo)

    @property
    def prompts(self) -> list[str]:
        """Every prompt that a vendor accepted so far, in order."""
        return [str(job.wire.payload["prompt"]) for job in self.vendor.jobs]

    def tree(self, folder: str = "output") -> list[str]:
        """Every file below the output folder."""
        base = self.root / folder
        return sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if not path.is_dir())

    @property
    def factories(self) -> dict[str, Callable[[Surroundings], FakeProvider]]:
        def make(name: str) -> Callable[[Surroundings], FakeProvider]:
            return lambda surroundings: FakeProvider(
                self.vendor, surroundings.scratch, name=name, repeatable=self.repeatable
            )

        return {name: make(name) for name in ("fal", "replicate", "draft")}


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    (tmp_path / ".aicp").mkdir()
    return Studio(tmp_path, FakeVendor())
