"""The output folder: copies of results under the names people expect, and nothing of theirs ever lost.

A file that the user edited or put there is never overwritten; ours goes beside it as ``name.new.ext``.
Writing, looking and removing never follow a symbolic link out of the folder.

Which files are ours, the journal says. It is told in batches, so each of them says so itself as well: the
fraction of the second at which it was last changed is made of its content and of the pipeline's name.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ai_content_pipeline.engine.safe_folder import SafeFolder
from ai_content_pipeline.errors import AicpError
from ai_content_pipeline.generation.store import Delivered, Store

_TEMPORARY = re.compile(r"\.([0-9a-f]{16})-[0-9]+\.part")
_BATCH = 64
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands under a name: its hash if it is a file, and whether it is exactly as we wrote it."""

    stat: os.stat_result
    sha256: str | None
    ours: bool


@dataclass
class Delivery:
    """Writes into the folder `parts` below `root` and remembers what it wrote, for one pipeline.

    `name` is the folder's in the journal, `pipeline` the file's; `owner` is this process, which tells its
    unfinished files from those of the dead. Thread-safe.
    """

    store: Store
    root: Path
    parts: Sequence[str]
    name: str
    pipeline: str
    owner: str
    _notes: dict[str, None] = field(default_factory=dict)  # in order, each once
    _kept: set[str] = field(default_factory=set)
    _unsaved: list[Delivered] = field(default_factory=list)
    _folders: dict[str, SafeFolder] = field(default_factory=dict)
    _left: list[SafeFolder] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reflinks: bool = sys.platform.startswith("linux")

    def __post_init__(self) -> None:
        self.folder = self.root.joinpath(*self.parts)
        self._known = self.store.delivered(self.name, self.pipeline)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def open(self, steps: Iterable[str], alive: Callable[[str], bool]) -> None:
        """Make the folder, and clear away what processes that died left half written in it.

        Raises:
            AicpError: it is a symbolic link or no folder.
            OSError: it cannot be made.
        """
        with SafeFolder(self.root, self.parts):
            pass
        for part in steps:
            with suppress(FileNotFoundError), self._below(part, make=False) as folder:
                for name in folder.names():
                    found = _TEMPORARY.fullmatch(name)
                    if found and not alive(found[1]):
                        folder.discard(name)

    def place(self, source: Path, sha256: str, relative: str) -> Path:
        """Copy `source` to `relative` (``step/file``) unless it is there already; where it lies now.

        Raises:
            AicpError: its folder is a symbolic link or no folder.
            OSError: it cannot be written.
        """
        part, _, wanted = relative.rpartition("/")
        folder = self._kept_open(part)
        name, found = self._free(folder, part, wanted, sha256)
        if found is None or found.sha256 != sha256:
            found = _Found(self._copy(folder, source, name, sha256), sha256, ours=True)
        if found.ours:
            self._remember(Delivered(f"{part}/{name}", sha256, found.stat.st_size, found.stat.st_mtime_ns))
        return self.folder.joinpath(part, name)

    def close(self) -> None:
        """Give the folders back."""
        with self._lock:
            for folder in (*self._folders.values(), *self._left):
                folder.close()
            self._folders.clear()
            self._left.clear()

    def flush(self) -> None:
        """Tell the journal what it has not heard yet."""
        with self._lock:
            waiting, self._unsaved = self._unsaved, []
        if waiting:
            self.store.deliver(self.name, self.pipeline, waiting)

    def prune(self) -> None:
        """Remove what an earlier run of this pipeline wrote, this one did not, and nobody touched."""
        for target in sorted(set(self._known) - self._kept):
            try:
                self._remove(target)
            except (FileNotFoundError, AicpError):
                pass  # no longer there, or somewhere else by now: no longer ours
            except OSError:
                continue  # for a later run
            self.store.undeliver(self.name, target)

    # -- inside ----------------------------------------------------------------------------------

    def _remove(self, target: str) -> None:
        part, _, name = target.rpartition("/")
        with self._below(part, make=False) as folder:
            found = self._look(folder, target, name)
            if found is not None and found.ours:
                folder.discard(name)
        with SafeFolder(self.root, self.parts) as base:
            base.discard_empty(part)

    def _below(self, part: str, *, make: bool = True) -> SafeFolder:
        return SafeFolder(self.root, (*self.parts, part), make=make)

    def _kept_open(self, part: str) -> SafeFolder:
        """The folder of a step: opened once, and anew where something else stands in its place by now."""
        with self._lock:
            folder = self._folders.get(part)
            if folder is None or not folder.in_place():
                if folder is not None:
                    self._left.append(folder)  # another thread may be in it; closed with the rest
                folder = self._folders[part] = self._below(part)
            return folder

    def _free(self, folder: SafeFolder, part: str, wanted: str, sha256: str) -> tuple[str, _Found | None]:
        """`wanted`, or a name beside it where a file of the user's stands there; and what is there now."""
        stem, dot, suffix = wanted.rpartition(".")
        number, name = 0, wanted
        while True:
            found = self._look(folder, f"{part}/{name}", name)
            if found is None or found.ours or found.sha256 == sha256:
                break
            number += 1
            name = f"{stem}.new{'' if number == 1 else number}{dot}{suffix}"
        if number:
            self._notes[f"{part}/{wanted} is yours and is left alone; the new file is {part}/{name}"] = None
        return name, found

    def _look(self, folder: SafeFolder, target: str, name: str) -> _Found | None:
        """None: nothing is there, or an empty file, which is nobody's (a power cut leaves some)."""
        found = folder.stat(name)
        if found is None:
            return None
        if not stat.S_ISREG(found.st_mode):
            return _Found(found, None, ours=False)
        if found.st_size == 0:
            return None
        known = self._known.get(target)
        if known is not None and (found.st_size, found.st_mtime_ns) == (known.size, known.mtime_ns):
            return _Found(found, known.sha256, ours=True)
        sha256 = folder.sha256(name)
        touched = known is not None and sha256 == known.sha256
        return _Found(found, sha256, ours=touched or found.st_mtime_ns % 10**9 == self._fraction(sha256))

    def _remember(self, record: Delivered) -> None:
        with self._lock:
            self._kept.add(record.path)
            if self._known.get(record.path) == record:
                return
            self._known[record.path] = record
            self._unsaved.append(record)
            full = len(self._unsaved) >= _BATCH
        if full:
            self.flush()

    def _copy(self, folder: SafeFolder, source: Path, name: str, sha256: str) -> os.stat_result:
        """A copy (a reflink where the file system has them), complete or not there at all."""
        temporary = f".{self.owner}-{next(self._numbers)}.part"
        try:
            with folder.create(temporary) as out, source.open("rb", 0) as data:
                if not self._reflinked(data.fileno(), out.fileno()):
                    while chunk := data.read(_CHUNK):
                        out.write(chunk)
            now = time.time_ns()
            folder.stamp(temporary, now - now % 10**9 + self._fraction(sha256))
            made = folder.stat(temporary)
            if made is None:
                raise FileNotFoundError(2, "removed by somebody", str(self.folder / name))
            folder.rename(temporary, name)
        except BaseException:  # ^C as well; it goes on after the clearing up
            folder.discard(temporary)
            raise
        return made

    def _fraction(self, sha256: str) -> int:
        """Nanoseconds below a second, in steps of 100: every file system of a desktop keeps those."""
        return int(hashlib.sha256(f"{sha256}:{self.pipeline}".encode()).hexdigest()[:8], 16) % 10**7 * 100

    def _reflinked(self, source: int, target: int) -> bool:
        """Let the file system share the blocks until one side changes (Btrfs, XFS, …)."""
        if not self._reflinks:
            return False
        import fcntl

        try:
            fcntl.ioctl(target, 0x40049409, source)  # FICLONE
        except OSError:
            self._reflinks = False
        return self._reflinks
