"""What happens to jobs, for those who watch: queued, started, step, uploaded, and how it ended."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

from ai_content_pipeline.jobs import Json

Event = dict[str, Json]
#: What every job begins with. Nobody tells it: it would come too late where a job starts, or ends, before
#: whoever took it in is told.
QUEUED: Event = {"event": "queued"}
_ENDS = ("completed", "failed", "cancelled")


def is_end(event: Event) -> bool:
    return event["event"] in _ENDS


@dataclass
class _Story:
    """The events of one job, which was queued if it is there at all. Steps are told by their last: a flood of
    them takes no room."""

    events: list[Event] = field(default_factory=lambda: [dict(QUEUED)])
    watchers: list[Watcher] = field(default_factory=list)


class Watcher:
    """One who watches, on an event loop. Of several steps that came meanwhile, only the last is seen."""

    def __init__(self, past: list[Event]) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting = list(past)
        self._news = asyncio.Event()
        self._guard = threading.Lock()

    def tell(self, event: Event) -> None:
        with self._guard:
            _add(self._waiting, event)
        self._loop.call_soon_threadsafe(self._news.set)

    async def next(self, seconds: float) -> list[Event]:
        """What happened since; empty when nothing did for `seconds`."""
        if not self._waiting:
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return []
        self._news.clear()
        with self._guard:
            events, self._waiting = self._waiting, []
        return events


class Events:
    """Thread-safe. Only jobs that run, or that somebody watches, are remembered."""

    def __init__(self) -> None:
        self._stories: dict[str, _Story] = {}
        self._guard = threading.Lock()

    def tell(self, job_id: str, event: Event) -> None:
        with self._guard:
            story = self._stories.setdefault(job_id, _Story())
            _add(story.events, event)
            watchers = list(story.watchers)
            if is_end(event):
                del self._stories[job_id]
        for watcher in watchers:
            watcher.tell(event)

    def watch(self, job_id: str) -> Watcher:
        """Call `leave` with it when nobody watches any more."""
        with self._guard:
            story = self._stories.setdefault(job_id, _Story())
            watcher = Watcher(story.events)
            story.watchers.append(watcher)
        return watcher

    def leave(self, job_id: str, watcher: Watcher) -> None:
        with self._guard:
            story = self._stories.get(job_id)
            if story is None or watcher not in story.watchers:
                return
            story.watchers.remove(watcher)
            if not story.watchers and story.events == [QUEUED]:
                del self._stories[job_id]

    def last_step(self, job_id: str) -> Event | None:
        with self._guard:
            story = self._stories.get(job_id)
            last = story.events[-1] if story else QUEUED
        return last if last["event"] == "step" else None


def _add(events: list[Event], event: Event) -> None:
    if event["event"] == "step" and events and events[-1]["event"] == "step":
        events[-1] = event
    else:
        events.append(event)
