"""Models that run on this machine: its GPU, which of them fit, and whose weights are here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ai_content_pipeline.cli.checkup.finding import Finding, misconfigured, ok, warning
from ai_content_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from ai_content_pipeline.providers.local.machine import Machine


def local_models(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing where they are not set up; the packages' own line says how."""
    if find_spec("torch") is None or find_spec("diffusers") is None:
        return
    from ai_content_pipeline.providers.local.machine import Machine

    try:
        machine = Machine.here(environ)
    except (ConfigurationError, ImportError) as error:
        yield misconfigured("GPU", str(error), getattr(error, "hint", None))
        return
    yield gpu(machine)
    if machine.memory_gb is not None:
        yield fitting(machine)
    yield weights_here(environ)


def gpu(machine: Machine) -> Finding:
    if machine.device == "cpu":
        return warning(
            "GPU",
            "none that PyTorch can use: local models run on the processor, many times slower",
            "run them on a machine with one, or use a vendor's models",
        )
    if machine.memory_gb is None:
        return ok("GPU", f"{machine.name}, sharing this machine's memory")
    free = machine.free_gb()
    left = "" if free is None else f", {free:.0f} GB free"
    return ok("GPU", f"{machine.name}, {machine.memory_gb:.0f} GB{left}")


def fitting(machine: Machine) -> Finding:
    """Which models fit whole, which in parts, and which block by block."""
    from ai_content_pipeline.catalog import local
    from ai_content_pipeline.providers.local.machine import Offload

    found: dict[Offload, list[str]] = {mode: [] for mode in Offload}
    for key in local.keys():  # noqa: SIM118 - a module is no dict
        needs = local.load(key).local
        assert needs is not None
        found[machine.offload_for(needs.vram_gb, needs.vram_offload_gb)].append(key)
    words = {
        Offload.NONE: "whole",
        Offload.MODEL: "one part at a time",
        Offload.GROUP: "block by block, slowly",
    }
    said = "; ".join(f"{words[mode]}: {', '.join(keys)}" for mode, keys in found.items() if keys)
    return ok("models that fit", said)


def weights_here(environ: Mapping[str, str]) -> Finding:
    from ai_content_pipeline.catalog import local
    from ai_content_pipeline.providers.local import weights

    folder = weights.folder_of(environ)
    there, wrong = list[str](), list[str]()
    for path in sorted(folder.glob(f"*/{weights.INDEX}")) if folder.is_dir() else ():
        try:
            weights.find(folder, path.parent.name)
            there.append(path.parent.name)
        except ConfigurationError as error:
            wrong.append(error.message)
    if wrong:
        return warning("weights", "; ".join(wrong), "download them again: aicp models pull KEY")
    if not there:
        return ok("weights", f"none in {folder} (aicp models pull KEY; {', '.join(local.keys())})")
    return ok("weights", f"{', '.join(there)} in {folder}")
