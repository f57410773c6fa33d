"""The GPU worker: jobs in over HTTP, media into a folder, signed callbacks out. docs/worker.md."""
