"""A thread that takes one job after another and has its process make it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ai_content_pipeline.errors import AicpError, JournalError
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.worker.faults import Code, Fault
from ai_content_pipeline.worker.process import Line, Process
from ai_content_pipeline.worker.rows import Ending, Row, State

if TYPE_CHECKING:
    from ai_content_pipeline.worker.service import Service

_RECENT = 0.2  # the weight of the latest job in the mean
_PAUSE = 1.0  # seconds after the disk or the queue failed
_UNFINISHED = 4  # jobs of one process that may be on their way to the disk


class Maker(threading.Thread):
    """Its process goes on with the next job while the disk still has to do with the last ones.

    `mean` is the usual length of a job, in seconds.
    """

    def __init__(self, service: Service, process: Process, number: int) -> None:
        super().__init__(name=f"maker-{number}", daemon=True)
        self.mean: float | None = None
        self.ready = False
        self._service = service
        self._process = process
        self._number = number
        self._starts = 0
        self._stopping = False
        self._finishing = ThreadPoolExecutor(_UNFINISHED, thread_name_prefix=f"finisher-{number}")
        self._room = threading.Semaphore(_UNFINISHED)

    def run(self) -> None:
        try:
            self.ready = self._process.start()
        except OSError as error:  # tried again with the first job, which then says so
            self._service.log("no_process", message=str(error))
        while True:
            self._room.acquire()  # before a job is claimed: where the disk is slow, it waits in the queue
            try:
                row = self._service.next_job()
                if row is None:
                    break
                self._make(row)
            except (AicpError, OSError) as error:  # the queue or the disk: the job is still there, so are we
                self._room.release()
                self._service.log("worker_stuck", message=str(error))
                time.sleep(_PAUSE)
        self._finishing.shutdown()

    def stop(self) -> None:
        """End with the job that runs given back."""
        self._stopping = True
        self._process.kill()
        if self.is_alive():
            self.join()
        self._process.close()

    def _make(self, row: Row) -> None:
        service, began = self._service, time.monotonic()
        assert row.started_at is not None
        service.metrics.wait.labels(row.type).observe((row.started_at - row.created_at).total_seconds())
        service.events.tell(row.id, {"event": "started", "attempt": row.attempts})
        service.log("job_started", job_id=row.id, type=row.type, attempt=row.attempts)
        folder = service.scratch / f"process-{self._number}" / f"job-{row.sequence}-{row.attempts}"
        answer = self._answer(row, folder)
        seconds = time.monotonic() - began
        self._count(answer)
        self.mean = seconds if self.mean is None else self.mean + _RECENT * (seconds - self.mean)
        service.metrics.run.labels(row.type).observe(seconds)
        self._finishing.submit(self._finish, row, answer, folder, seconds)

    def _answer(self, row: Row, folder: Path) -> Line:
        service = self._service
        if row.type not in service.job_types.types:  # it was, when the job came in
            fault = Fault.of(Code.VALIDATION, f"the worker has no type {row.type} any more")
            return {"failed": fault.json()}
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        except OSError as error:
            return {"failed": Fault.of(Code.STORAGE, f"nothing can be written: {error.strerror}").json()}
        try:
            return self._process.run(
                self._order(row, folder),
                seconds=service.settings.job_timeout,
                heard=lambda line: self._heard(row, line),
                cancelled=lambda: row.cancelling or service.cancelled(row.id),
            )
        except OSError as error:
            fault = Fault.of(Code.CRASHED, f"no inference process can be started: {error.strerror}")
            return {"failed": fault.json()}

    def _finish(self, row: Row, answer: Line, folder: Path, seconds: float) -> None:
        try:
            self._end(row, answer, folder, seconds)
        except (AicpError, OSError) as error:  # it runs, for whoever asks, until the worker starts again
            self._service.log("worker_stuck", job_id=row.id, message=str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._room.release()

    def _write_down(self, row: Row, ending: Ending) -> Row | None:
        """Record an end, however long the disk is full: what was made is not made again for that."""
        while True:
            try:
                return self._service.queue.end(row.id, ending, self._service.clock.now())
            except JournalError as error:
                self._service.log("worker_stuck", job_id=row.id, message=error.message)
                if self._stopping:
                    raise
                time.sleep(_PAUSE)

    def _order(self, row: Row, folder: Path) -> Line:
        body: dict[str, Json] = {**json.loads(row.body), "id": row.id, "user_id": row.user_id}
        return {
            "key": f"{row.id}-{row.attempts}",
            "folder": str(folder),
            "job_type": self._service.job_types.types[row.type].model_dump(),
            "job": body,
        }

    def _heard(self, row: Row, line: Line) -> None:
        if "step" in line:
            step = {"event": "step", "step": line["step"], "steps": line["steps"]}
            self._service.events.tell(row.id, step)

    def _end(self, row: Row, answer: Line, folder: Path, seconds: float) -> None:
        if self._stopping and "failed" in answer:
            ended = self._service.queue.requeue(row.id, self._service.clock.now())
        else:
            ending = self._ending(row, answer, folder, seconds)
            if ending.state is not State.COMPLETED:
                self._remove(row)
            ended = self._write_down(row, ending)
        if ended is not None:
            self._service.ended(ended)

    def _remove(self, row: Row) -> None:
        """Take away what an earlier attempt left; where that cannot be, the job ends all the same."""
        try:
            self._service.storage.remove(row.user_id, row.id)
        except (AicpError, OSError) as error:
            self._service.log("results_left", job_id=row.id, message=str(error))

    def _ending(self, row: Row, answer: Line, folder: Path, seconds: float) -> Ending:
        if "failed" in answer:
            fault = Fault.read(cast(dict[str, Json], answer["failed"]))
            state = State.CANCELLED if fault.code is Code.CANCELLED else State.FAILED
            return Ending(state, fault=fault, seconds=seconds)
        assets = cast(list[dict[str, Json]], answer["done"])
        names = [str(asset[part]) for asset in assets for part in ("file", "thumbnail")]
        try:
            self._service.storage.publish(folder, row.user_id, row.id, names)
        except (AicpError, OSError) as error:
            words = error.message if isinstance(error, AicpError) else error.strerror or str(error)
            fault = Fault.of(Code.STORAGE, f"the results cannot be stored: {words}")
            return Ending(State.FAILED, fault=fault, seconds=seconds)
        self._service.events.tell(row.id, {"event": "uploaded", "assets": len(assets)})
        return Ending(State.COMPLETED, assets, seconds=seconds)

    def _count(self, answer: Line) -> None:
        """Starts of the process, and the memory it says it holds."""
        self.ready = self._process.came_up  # whether it lives now or will be started again
        metrics, starts = self._service.metrics, self._process.starts
        metrics.restarts.inc(starts - self._starts)
        self._starts = starts
        held = answer.get("vram_bytes")
        if isinstance(held, int):
            metrics.vram.labels(str(self._number)).set(held)
