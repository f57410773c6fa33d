"""The two seams of the money door, and everything that stands behind them.

A further store or provider joins its contract by one entry in `STORES` or `PROVIDERS`.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import sleep

import pytest

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo, Role
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.store import Cap, Claim, Claimed, Ending, Job, State, Store
from ai_content_pipeline.jobs import (
    Billed,
    Handle,
    InputField,
    JobRequest,
    JobStatus,
    Model,
    Queued,
    Reason,
    Running,
    Task,
    WireRequest,
)
from ai_content_pipeline.media.download import download
from ai_content_pipeline.media.hosts import HostRule
from ai_content_pipeline.providers.draft import DraftProvider
from ai_content_pipeline.providers.fake import Act, FakeProvider, FakeVendor
from ai_content_pipeline.providers.fal import FalProvider
from ai_content_pipeline.providers.protocol import Provider, Surroundings
from ai_content_pipeline.providers.replicate import ReplicateProvider
from ai_content_pipeline.providers.worker import WorkerProvider
from ai_content_pipeline.sandbox import Match, Rule, Sandbox, Settings
from ai_content_pipeline.sandbox import actions as act

STORES: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda folder: SqliteStore(folder / "journal.sqlite3"),
    "memory": lambda folder: SqliteStore(None),
}

NOW = datetime(2026, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)
PICTURE = Artifact("ab" * 32, 123, MediaInfo(Kind.IMAGE, "image/png", 64, 48))


@dataclass
class Journal:
    """A store, and the shortest way to have a job of it in any state."""

    store: Store
    owner: str = "me"
    now: datetime = NOW
    picture: Artifact = PICTURE
    _ids: Iterator[int] = field(default_factory=count)

    def claim_of(self, key: str = "k", **changes: object) -> Claim:
        claim = Claim(
            key=key,
            lineage=f"lineage-{key}",
            take=0,
            provider="fake",
            endpoint="fake/model",
            description={"model": "m", "kind": "image", "prompt": "a cup"},
            wire=WireRequest("fake/model", {"prompt": "a cup"}),
            outputs=1,
            run="run",
            address=f"clips/{key}",
            owner=self.owner,
            reserve=100,
        )
        return replace(claim, **changes)

    def claim(self, key: str = "k", *, now: datetime = NOW, **changes: object) -> Claimed:
        return self.store.claim(self.claim_of(key, **changes), now)

    def handle(self) -> Handle:
        return Handle(f"id-{next(self._ids)}", {"url": "https://vendor.example/1"})

    def job(self, key: str = "k") -> Job:
        job = self.store.job(key)
        assert job is not None
        return job

    def bring(self, state: State, key: str = "k", **changes: object) -> Job:
        """A job of a new key, brought to `state` by legal moves."""
        assert self.claim(key, **changes) is Claimed.MINE
        for move in _WAYS[state]:
            self.move(move, key)
        job = self.job(key)
        assert job.state is state
        return job

    def move(self, name: str, key: str = "k") -> object:
        """Make the move called `name` with plain arguments."""
        store = self.store
        moves: dict[str, Callable[[], object]] = {
            "submitted": lambda: store.submitted(key, self.owner, self.handle(), NOW),
            "released": lambda: store.released(key, self.owner, "busy", NOW),
            "doubted": lambda: store.doubted(key, self.owner, "dropped", NOW),
            "finished": lambda: store.finished(key, Ending(("https://vendor.example/a.png",))),
            "done": lambda: store.done(key, [PICTURE], NOW),
            "failed": lambda: store.failed(key, Reason.PROVIDER, "no", Billed.YES, NOW),
            "refused": lambda: store.failed(key, Reason.INVALID, "no", Billed.NO, NOW),
            "gone": lambda: store.gone(key, "404", NOW),
            "abandoned": lambda: store.undoubted(key, abandon=True, spent=True, now=NOW),
            "absent": lambda: store.undoubted(key, abandon=False, spent=False, now=NOW),
        }
        return moves[name]()

    def committed(self, run: str = "run") -> int:
        return self.store.committed(Cap(0, run=run))


_WAYS: dict[State, tuple[str, ...]] = {
    State.INTENT: (),
    State.PENDING: ("released",),
    State.SUBMITTED: ("submitted",),
    State.FINISHED: ("submitted", "finished"),
    State.DONE: ("submitted", "finished", "done"),
    State.FAILED: ("submitted", "failed"),
    State.GONE: ("submitted", "gone"),
    State.IN_DOUBT: ("doubted",),
    State.ABANDONED: ("doubted", "abandoned"),
}


@pytest.fixture(params=STORES)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    store = STORES[request.param](tmp_path)
    yield Journal(store)
    store.close()


# -- providers ------------------------------------------------------------------------------------


@dataclass
class Rig:
    """A provider, the far side of it, and what a test may want of either."""

    provider: Provider
    again: Callable[[], Provider]  # another client of the same far side: a later process
    model: Model
    behave: Callable[[str], None] | None  # how the far side answers from now on; None: it is always well
    charges: Callable[[], int]
    pass_time: Callable[[float], None]
    now: Callable[[], datetime]
    download: Callable[[str, Path], None] | None = None
    stranger: Handle = field(default_factory=lambda: Handle("999999"))  # of a job that the far side never had
    close: Callable[[], None] = lambda: None

    def request(self, prompt: str = "a cup of coffee", **changes: object) -> JobRequest:
        request = replace(JobRequest(self.model, prompt, {}, {}), **changes)
        if self.model.count_field is None or request.outputs == 1:
            return request
        return replace(request, params={**request.params, self.model.count_field: request.outputs})

    def wire(self, prompt: str = "a cup of coffee", seed: int | None = 7) -> WireRequest:
        return self.provider.wire(self.request(prompt), {}, seed)

    def end(self, handle: Handle) -> JobStatus:
        """The job's last status; time passes while it runs."""
        for _ in range(200):
            status = self.provider.poll(handle)
            if not isinstance(status, Queued | Running):
                return status
            self.pass_time(1.0)
        raise AssertionError(f"it does not end: {status}")


def _fake(folder: Path, *, repeatable: bool = False, links: bool = False) -> Rig:
    time = {"now": NOW}
    vendor = FakeVendor(now=lambda: time["now"], links=links, script=lambda wire: Act(seconds=3))
    acts = {
        "refuse": Act(answer="refused"),
        "busy": Act(answer="busy", retry_after=3.0),
        "lose the answer": Act(seconds=3, answer="lost"),
        "drop the request": Act(answer="dropped"),
        "fail": Act(end="failed", billed=Billed.NO),
        "fail and bill": Act(end="failed", billed=Billed.YES),
        "reject the content": Act(end="rejected"),
        "accept": Act(seconds=3),
    }

    def behave(how: str) -> None:
        vendor.script = lambda wire: acts[how]

    def pass_time(seconds: float) -> None:
        time["now"] += timedelta(seconds=seconds)

    return Rig(
        provider=FakeProvider(vendor, folder, repeatable=repeatable),
        again=lambda: FakeProvider(vendor, folder, repeatable=repeatable),
        model=Model("fake", "fake", "fake/image", Task.TEXT_TO_IMAGE, seed_field="seed"),
        behave=behave,
        charges=lambda: len(vendor.charges),
        pass_time=pass_time,
        now=lambda: time["now"],
        download=vendor.download,
    )


def _draft(folder: Path) -> Rig:
    artifacts = ArtifactStore(folder)

    def make() -> Provider:
        return DraftProvider(Surroundings({}, artifacts.scratch, artifacts.locate))

    return Rig(
        provider=make(),
        again=make,
        model=Model("draft", "draft", "text_to_image", Task.TEXT_TO_IMAGE, seed_field="seed"),
        behave=None,
        charges=lambda: 0,
        pass_time=lambda seconds: None,
        now=lambda: datetime.now(UTC),
    )


def _vendor(
    folder: Path, make: Callable[[Surroundings], FalProvider | ReplicateProvider], model: Model
) -> Rig:
    """A real vendor's provider on a sandbox. Time passes at the vendor; our clock only follows it."""
    stack, passed = ExitStack(), [timedelta(seconds=-0.5)]  # vendors round their timestamps
    sandbox = stack.enter_context(Sandbox(Settings(image_seconds=3.0, look="plain", image_px=64)))
    failing = act.ErrorBody(billed=True) if model.provider == "fal" else act.Fail(billed=True)
    acts: dict[str, act.AnyAction] = {
        "refuse": act.Status(code=422),
        "busy": act.Status(code=429, retry_after=3),
        "lose the answer": act.Drop(),
        "drop the request": act.Reset(),
        "fail": act.Fail(),
        "fail and bill": failing,
        "reject the content": act.Reject(),
    }

    def another() -> FalProvider | ReplicateProvider:
        provider = make(Surroundings(sandbox.environ(), folder, lambda sha: folder / sha))
        stack.callback(provider.close)
        return provider

    def pass_time(seconds: float) -> None:
        sandbox.advance(seconds)
        passed[0] += timedelta(seconds=seconds)

    url = f"{sandbox.url}/{'/'.join(model.endpoint.split('/')[:2])}/requests/999999"
    urls = {"status_url": f"{url}/status", "response_url": url, "cancel_url": f"{url}/cancel"}
    return Rig(
        provider=another(),
        again=another,
        model=model,
        behave=lambda how: sandbox.script(Rule(match=Match(route=("submit",)), action=acts[how])),
        charges=lambda: len(sandbox.jobs()),
        pass_time=pass_time,
        now=lambda: datetime.now(UTC) + passed[0],
        download=lambda url, path: download(url, path, allow=HostRule.of(sandbox.url)),
        stranger=Handle("999999", {**urls, "endpoint": model.endpoint, "base": sandbox.url}),
        close=stack.close,
    )


_SMALL = """
[types.small]
makes = "image"
model = "sdxl"
defaults = {width = 64, height = 64}
"""


@cache
def _serving() -> str:
    """One worker on the draft renderer for all tests of this process; its address. It ends with us."""
    from ai_content_pipeline.worker.server import Listener
    from ai_content_pipeline.worker.service import Service
    from ai_content_pipeline.worker.settings import Settings as WorkerSettings

    folder = Path(tempfile.mkdtemp(prefix="aicp-contract-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "types.toml").write_text(_SMALL)
    settings = WorkerSettings(folder, "draft", port=0, job_types=folder / "types.toml")
    listener = Listener(Service(settings))
    threading.Thread(target=listener.serve, daemon=True).start()
    return listener.url


def _worker(folder: Path) -> Rig:
    """Every test is another user, so that nobody finds another's jobs."""
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "prometheus_client")):
        pytest.skip("the extra `worker` is not installed")
    url = _serving()
    environ = {
        "AICP_WORKER_URL": url,
        "AICP_WORKER_USER": f"u{hashlib.sha256(bytes(folder)).hexdigest()[:16]}",
    }
    providers: list[WorkerProvider] = []

    def another() -> WorkerProvider:
        providers.append(WorkerProvider(Surroundings(environ, folder, lambda sha: folder / sha)))
        return providers[-1]

    def close() -> None:
        for provider in providers:
            provider.close()

    return Rig(
        provider=another(),
        again=another,
        model=Model(
            "worker", "worker", "small", Task.TEXT_TO_IMAGE, seed_field="seed", count_field="num_images"
        ),
        behave=None,
        charges=lambda: 0,
        pass_time=lambda seconds: sleep(min(0.1, seconds)),
        now=lambda: datetime.now(UTC),
        stranger=Handle("999999", {"base": url}),
        close=close,
    )


def _model(provider: str, endpoint: str, files: str, count_field: str) -> Model:
    fields = {Role.REFERENCE: InputField(files, many=True)}
    return Model(
        provider, provider, endpoint, Task.TEXT_TO_IMAGE, fields, seed_field="seed", count_field=count_field
    )


_FAL = _model("fal", "fal-ai/flux/dev", "image_urls", "num_images")
_REPLICATE = _model("replicate", "black-forest-labs/flux-dev", "image_input", "num_outputs")


def _diffusers(folder: Path) -> Rig:
    """Local models, where their packages are installed: one of random weights."""
    import warnings

    import torch

    from ai_content_pipeline.catalog import local, model_of
    from ai_content_pipeline.providers.diffusers import DiffusersProvider
    from ai_content_pipeline.providers.local.tiny import build_sdxl

    artifacts, stack = ArtifactStore(folder), ExitStack()
    stack.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")  # torch's own
    torch.set_num_threads(1)  # so small a model gains nothing by more
    build_sdxl(folder / "models/sdxl")

    def make() -> Provider:
        environ = {"AICP_MODELS_DIR": str(folder / "models"), "AICP_DIFFUSERS_DEVICE": "cpu"}
        provider = DiffusersProvider(Surroundings(environ, artifacts.scratch, artifacts.locate))
        stack.callback(provider.close)
        return provider

    return Rig(
        provider=make(),
        again=make,
        model=model_of(local.load("sdxl"), "diffusers:sdxl", Task.TEXT_TO_IMAGE),
        behave=None,
        charges=lambda: 0,
        pass_time=lambda seconds: None,
        now=lambda: datetime.now(UTC),
        close=stack.close,
    )


PROVIDERS: dict[str, Callable[[Path], Rig]] = {
    "draft": _draft,
    "fal": lambda folder: _vendor(folder, FalProvider, _FAL),
    "replicate": lambda folder: _vendor(folder, ReplicateProvider, _REPLICATE),
    "worker": _worker,
    "fake": _fake,
    "fake with links": lambda folder: _fake(folder, links=True),
    "fake and repeatable": lambda folder: _fake(folder, repeatable=True),
}

if find_spec("torch") and find_spec("diffusers"):
    PROVIDERS["diffusers"] = _diffusers


@pytest.fixture(params=PROVIDERS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    rig = PROVIDERS[request.param](tmp_path)
    yield rig
    rig.close()
