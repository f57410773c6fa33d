"""Everything a run needs around it, opened and closed together: journal, stored files, providers, owner."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ai_content_pipeline.engine.local import LocalRunner
from ai_content_pipeline.engine.scoring import SCORES, Judge, ScoreBook
from ai_content_pipeline.errors import ConfigurationError, JournalError
from ai_content_pipeline.generation.artifact_store import ArtifactStore
from ai_content_pipeline.generation.clock import Clock, SystemClock
from ai_content_pipeline.generation.door import Door
from ai_content_pipeline.generation.fetch import Download, Fetcher
from ai_content_pipeline.generation.limits import Gates
from ai_content_pipeline.generation.owners import Owners
from ai_content_pipeline.generation.reconcile import Reconciler
from ai_content_pipeline.generation.sqlite import SqliteStore
from ai_content_pipeline.generation.stills import Stills
from ai_content_pipeline.generation.store import Cap, Store
from ai_content_pipeline.pipeline.project import Project
from ai_content_pipeline.providers.protocol import Provider, Surroundings
from ai_content_pipeline.providers.registry import PROVIDERS, VENDOR_URLS

if TYPE_CHECKING:
    from ai_content_pipeline.media.hosts import HostRule

#: What a file system says that cannot tell a living process from a dead one: some network shares.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_OWNER = re.compile(r"[0-9a-f]{16}")

ProviderFactory = Callable[[Surroundings], Provider]


@dataclass
class Workshop:
    """One project, opened by one process."""

    project: Project
    store: Store
    artifacts: ArtifactStore
    owners: Owners
    environ: Mapping[str, str]
    clock: Clock
    factories: Mapping[str, ProviderFactory]
    download: Download | None = None
    stills: Stills = field(default_factory=Stills)
    stopping: threading.Event = field(default_factory=threading.Event)
    detached: threading.Event = field(default_factory=threading.Event)
    _gates: Gates = field(init=False)
    _providers: dict[str, Provider] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._gates = Gates(self.environ, self.clock, self.stopping)

    @property
    def judge(self) -> Judge:
        """Compares results with references."""
        return Judge(ScoreBook(self.project.state / SCORES), self.artifacts.path, self.environ)

    @property
    def local(self) -> LocalRunner:
        return LocalRunner(self.store, self.artifacts, self.stills, self.detached)

    def provider(self, name: str) -> Provider:
        """The one client of `name`.

        Raises:
            ConfigurationError: its key or package is missing, or nothing is called so.
        """
        with self._guard:
            if name not in self._providers:
                factory = self.factories.get(name)
                if factory is None:
                    known = ", ".join(sorted(self.factories))
                    raise ConfigurationError(f"no provider is called {name!r}", hint=f"known: {known}")
                surroundings = Surroundings(
                    self.environ,
                    self.artifacts.scratch,
                    self.artifacts.locate,
                    self.detached,
                    self._gates(name).heard,
                )
                self._providers[name] = factory(surroundings)
            return self._providers[name]

    def close(self) -> None:
        """Give the vendors' connections back."""
        for provider in self._providers.values():
            provider.close()

    def door(self, run: str, caps: Sequence[Cap] = ()) -> Door:
        from ai_content_pipeline.media.probe import verify

        download = self.download or self._download
        fetcher = Fetcher(
            self.store, self.artifacts, self.clock, download, verify, self.stills, self.detached
        )
        grace = _grace(self.environ)
        return Door(
            store=self.store,
            artifacts=self.artifacts,
            provider=self.provider,
            owners=self.owners,
            clock=self.clock,
            run=run,
            fetcher=fetcher,
            reconciler=Reconciler(self.store, self.clock, self.detached, grace),
            caps=tuple(caps),
            gate=self._gates,
            stopping=self.stopping,
            detached=self.detached,
        )

    def _download(self, url: str, path: Path) -> None:
        """Fetch a vendor's result: from public addresses, or from where the vendors' overrides point."""
        from ai_content_pipeline.media.download import download

        download(url, path, allow=self._fetchable, wait=self._rest, stopped=self.detached.is_set)

    @cached_property
    def _fetchable(self) -> HostRule:
        from ai_content_pipeline.media.hosts import HostRule

        return HostRule.of(*(self.environ.get(name) or None for name in VENDOR_URLS))

    def _rest(self, seconds: float) -> None:
        self.clock.wait(self.detached, seconds)


def _grace(environ: Mapping[str, str]) -> float:
    text = environ.get("AICP_RECONCILE_GRACE", "").strip() or "60"
    if not text.replace(".", "", 1).isdigit():
        raise ConfigurationError(f"AICP_RECONCILE_GRACE is {text!r}, which is no number of seconds")
    return float(text)


@contextmanager
def open_workshop(
    project: Project,
    environ: Mapping[str, str],
    *,
    clock: Clock | None = None,
    factories: Mapping[str, ProviderFactory] = PROVIDERS,
    open_store: Callable[[Path], Store] = SqliteStore,
    download: Download | None = None,
) -> Iterator[Workshop]:
    """Open (and if need be make) the project's memory. `download` fetches results in place of HTTP.

    Raises:
        JournalError: it cannot be used, or the folder cannot be written.
    """
    try:
        project.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(project.state)
        _ignore(project.state / ".gitignore")
        owners = Owners(project.state / "owners")
    except OSError as error:
        locks = error.errno in _NO_LOCKS
        raise JournalError(
            f"{project.state} cannot be {'used' if locks else 'written'}: {error.strerror}",
            hint="keep the project on a local disk" if locks else "the project's folder must be writable",
        ) from error
    try:
        with _scratch(project.state / "tmp", owners) as scratch:
            store = open_store(project.journal)
            artifacts = ArtifactStore(project.state)
            artifacts.scratch = scratch
            workshop = Workshop(
                project, store, artifacts, owners, environ, clock or SystemClock(), factories, download
            )
            try:
                yield workshop
            finally:
                workshop.close()
                store.close()
    finally:
        owners.close()


def _check_private(state: Path) -> None:
    """What is in there is believed: which jobs were paid, which files are their results.

    Raises:
        JournalError: somebody else may write there.
    """
    if os.name == "nt":
        return
    found = state.stat()
    if found.st_mode & stat.S_IWOTH:
        raise JournalError(f"everybody may write to {state}", hint=f"chmod 700 {shlex.quote(str(state))}")
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        raise JournalError(
            f"{state} belongs to somebody else, who could change what was paid",
            hint="run it as the user whose folder it is, or copy the project without its .aicp folder",
        )


def _ignore(path: Path) -> None:
    """Keep the project's memory out of git. Never through a link, and never over what is there."""
    with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
        file.write("*\n")


@contextmanager
def _scratch(folder: Path, owners: Owners) -> Iterator[Path]:
    """A folder for this process's files on their way, below `folder`; what the dead left there is removed."""
    for path in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ():
        if _OWNER.fullmatch(path.name) and not owners.alive(path.name):
            shutil.rmtree(path, ignore_errors=True)
    mine = folder / owners.me
    mine.mkdir(parents=True, exist_ok=True)  # at once: by it the dead are found, and their locks
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)
