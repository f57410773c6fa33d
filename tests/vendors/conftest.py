"""Projects whose vendors are the sandbox: real provider classes, journal and files, and counted charges."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ai_content_pipeline.engine import events
from ai_content_pipeline.engine.results import ItemError, RunResult
from ai_content_pipeline.engine.run import RunOptions, run
from ai_content_pipeline.engine.workshop import Workshop, open_workshop
from ai_content_pipeline.generation.store import Job, State
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.pipeline.project import Project, find_project
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.registry import PROVIDERS
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox.actions import AnyAction

#: Long enough not to be found by accident.
CANARY = "canary-key-7d2b90ce"
QUICK = Settings(
    image_seconds=0.02,
    video_seconds=0.02,
    look="plain",
    image_px=64,
    video_px=64,
    video_fps=1,
    fal_key=f"canary-id:{CANARY}",
    replicate_token=f"r8_{CANARY}",
)
#: The keys' secret part, as it may come out: itself, and in the middle of something in base64.
SECRETS = (
    CANARY.encode(),
    quote(CANARY, safe="").encode(),
    *(base64.b64encode(b"x" * shift + CANARY.encode())[4:-4] for shift in range(3)),
)
MODELS = {"fal": "nano_banana_pro", "replicate": "nano_banana_pro_replicate"}


class SwiftClock:
    """The real time of day, `ahead`; waits, and the steady clock with them, pass fifty times as quickly."""

    SPEED = 50.0

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() * self.SPEED

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds / self.SPEED)


@dataclass(frozen=True)
class Said:
    """What a command came to: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def envelope(self) -> Any:
        return json.loads(self.out)

    @property
    def data(self) -> Any:
        return self.envelope["data"]


@dataclass
class Account:
    """A project in `root` with an account at both vendors of `sandbox`."""

    root: Path
    sandbox: Sandbox
    extra: dict[str, str] = field(default_factory=dict)
    events: list[events.Event] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    clock: SwiftClock = field(default_factory=SwiftClock)

    @property
    def environ(self) -> Mapping[str, str]:
        return self.sandbox.environ() | {"AICP_RECONCILE_GRACE": "15"} | self.extra

    def write(self, text: str, name: str = "pipeline.yaml") -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def project(self) -> Project:
        """As the command line sees it: a sandbox has a memory of its own."""
        return find_project(self.root).seen_from(self.environ)

    @contextmanager
    def workshop(self) -> Iterator[Workshop]:
        with open_workshop(self.project, self.environ, clock=self.clock) as workshop:
            yield workshop

    def run(
        self,
        text: str,
        *,
        redo: str | None = None,
        name: str = "pipeline.yaml",
        emit: Callable[[events.Event], None] | None = None,
        cap: Decimal | None = None,
        **options: Any,
    ) -> RunResult:
        """Run a pipeline as the command line does, without its questions."""
        expansion = expand(load_pipeline(self.write(text, name), environ={}))
        parts = Path(expansion.pipeline.top.output_dir).parts
        run_id = f"run-{time.monotonic_ns()}"
        cap = expansion.pipeline.top.max_cost if cap is None else cap
        settings = RunOptions(
            self.root, parts, run_id, lambda address: f"aicp redo {address}", redo, cap, **options
        )
        with self.workshop() as workshop:
            return run(expansion, workshop, settings, emit or self.events.append)

    def aicp(self, *words: str) -> Said:
        """The whole program in this process, by a swift clock."""
        from ai_content_pipeline.cli.app import run_app

        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.chdir(self.root)
            patch.setitem(open_workshop.__wrapped__.__kwdefaults__, "clock", self.clock)
            for name, value in {**self.environ, "CI": "1"}.items():
                patch.setenv(name, value)
            code = run_app(words)
        self.said.append(Said(code, out.getvalue(), err.getvalue()))
        return self.said[-1]

    def chain(self, *words: str, file: str = "pipeline.yaml") -> Said:
        """`run-chain` of a file that was written, with consent."""
        return self.aicp("run-chain", file, "--yes", "--allow-unpriced", *words)

    def start(
        self, *words: str, program: Sequence[str] = ("-m", "ai_content_pipeline")
    ) -> subprocess.Popen[str]:
        """The program as a process of its own."""
        return subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=self.root,
            env={**os.environ, **self.environ, "CI": "1", "AICP_RECONCILE_GRACE": "0.4"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def script(self, action: AnyAction, **match: Any) -> None:
        """One fault, replacing what was scripted."""
        self.sandbox.script(self.rule(action, **match))

    @staticmethod
    def rule(action: AnyAction, **match: Any) -> Rule:
        return Rule(match=Match(**match), action=action)

    def unscript(self) -> None:
        self.sandbox.script()

    @staticmethod
    def pictures(
        vendor: str, prompts: Sequence[str], *, workers: int = 4, step: str = "", top: str = ""
    ) -> str:
        """A pipeline of one picture a prompt; `step` and `top` are further lines of YAML."""
        lines = "".join(f'        - "{prompt}"\n' for prompt in prompts)
        return (
            f"name: pics\n{top}\n"
            f"steps:\n  - name: pics\n    type: text_to_image\n    model: {MODELS[vendor]}\n"
            f"{step}    params:\n      parallel: true\n      max_workers: {workers}\n      prompts:\n{lines}"
        )

    @staticmethod
    def faults(result: RunResult) -> list[ItemError]:
        """What went wrong with the items of a run, in order."""
        return [item.error for step in result.steps for item in step.items if item.error is not None]

    @staticmethod
    def hours(count: float) -> timedelta:
        return timedelta(hours=count)

    def pass_time(self, seconds: float) -> None:
        """Here and at the vendors."""
        self.sandbox.advance(seconds)
        self.clock.ahead += timedelta(seconds=seconds)

    @property
    def report(self) -> str:
        """What the newest report says, hints included."""
        return (self.root / "output" / "pics" / "report.json").read_text(encoding="utf-8")

    @property
    def accepted(self) -> int:
        """How many jobs the vendors accepted."""
        return len(self.sandbox.jobs())

    @property
    def paid(self) -> Counter[str]:
        """How often each prompt was paid for."""
        billed = {charge.job for charge in self.sandbox.charges()}
        return Counter(job.prompt for job in self.sandbox.jobs() if job.id in billed)

    def journal(self, *states: State) -> list[Job]:
        with self.workshop() as workshop:
            return workshop.store.jobs(states or tuple(State))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Jobs of 20 ms. It must have seen no key where none belongs."""
    with Sandbox(QUICK) as running:
        yield running
        assert running.leaks() == ()


@pytest.fixture(autouse=True)
def hasty_providers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The vendors' own classes, which here wait for an answer no longer than a second and a half."""
    from ai_content_pipeline.providers.fal import FalProvider
    from ai_content_pipeline.providers.replicate import ReplicateProvider
    from ai_content_pipeline.providers.transport import Patience

    with contextlib.ExitStack() as made:

        def hasty(kind: type[FalProvider] | type[ReplicateProvider]) -> Callable[[Surroundings], Any]:
            def make(surroundings: Surroundings) -> FalProvider | ReplicateProvider:
                provider = kind(surroundings, Patience(read=1.5, whole=3.0))
                made.callback(provider.close)
                return provider

            return make

        monkeypatch.setitem(PROVIDERS, "fal", hasty(FalProvider))
        monkeypatch.setitem(PROVIDERS, "replicate", hasty(ReplicateProvider))
        yield


@pytest.fixture
def account(tmp_path: Path, sandbox: Sandbox) -> Iterator[Account]:
    """A project. Whatever its test did, no key may stand in any of its files or in what was said."""
    (tmp_path / ".aicp").mkdir()
    account = Account(tmp_path, sandbox)
    yield account
    texts = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    texts |= {Path(f"command {number}"): said.text.encode() for number, said in enumerate(account.said)}
    assert {str(path): form for path, data in texts.items() for form in SECRETS if form in data} == {}
