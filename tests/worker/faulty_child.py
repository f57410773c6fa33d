"""A child whose provider fails as GPUs do: what the prompt says is what happens."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.jobs import Failed, Handle, JobStatus, Reason, Running
from ai_content_pipeline.providers.draft import DraftProvider
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.worker.child import serve


class FaultyProvider(DraftProvider):
    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._counted = 0

    def poll(self, handle: Handle) -> JobStatus:
        prompt = handle.data["payload"]["prompt"]
        match prompt:
            case "python runs out of memory":
                raise MemoryError
            case "torch runs out of memory":
                raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA: tried to allocate 20.00 GiB")
            case "the vendor says out of memory":
                return Failed(Reason.LOCAL, "CUDA out of memory; lower num_frames")
            case "cuda asserts":
                raise RuntimeError("CUDA error: device-side assert triggered")
            case "the system kills":
                os.kill(os.getpid(), signal.SIGKILL)
            case "it aborts":
                os.abort()
            case "it exits":
                os._exit(3)
            case "weights are missing":
                raise ConfigurationError("no weights of sdxl", hint="aicp models pull sdxl")
            case "it hangs":
                threading.Event().wait()
            case "it steps":
                self._counted += 1
                if self._counted < 100_000 and not self._detached.is_set():
                    return Running(min(0.99, self._counted / 500))
            case "it holds memory of a GPU":
                card = SimpleNamespace(is_available=lambda: True, memory_reserved=lambda: 7 << 30)
                sys.modules["torch"] = SimpleNamespace(cuda=card)
            case "it talks":
                os.write(1, b"loading pipeline components...\n" * 1000)
        return super().poll(handle)


if __name__ == "__main__":
    sys.exit(serve(FaultyProvider, Path(sys.argv[1]), [], False))
