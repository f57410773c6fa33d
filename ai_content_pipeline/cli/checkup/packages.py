"""Installed packages against what this version of aicp asks for."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from ai_content_pipeline.cli.checkup.finding import Finding, misconfigured, ok, warning

_DISTRIBUTION = "ai-content-pipeline"
#: The official clients, and the file of ours that uses each.
_CLIENTS = {"fal-client": "fal", "replicate": "replicate"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9.]*)")
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


def packages() -> Iterator[Finding]:
    """Each vendor's client by name, the rest together, then the extras."""
    try:
        required = requires(_DISTRIBUTION) or []
        extras = metadata(_DISTRIBUTION).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        yield warning(
            "packages",
            "aicp runs without being installed, so versions cannot be checked",
            "install it: pip install .",
        )
        return
    runtime = {_name(line): line for line in required if not _is_extra(line)}
    for name, vendor in _CLIENTS.items():
        if name in runtime:
            yield from _client(name, vendor, runtime.pop(name))
    misfits = [finding for name, line in runtime.items() for finding in _misfit(name, line)]
    yield from misfits or [ok("packages", f"{len(runtime)} others as required")]
    for extra in extras:
        mine = [line for line in required if _is_extra(line) and f'"{extra}"' in line.replace("'", '"')]
        yield _extra(str(extra), mine)


def _client(name: str, vendor: str, line: str) -> Iterator[Finding]:
    """A vendor's client: its version, and whether our use of it can be loaded."""
    found = _installed(name)
    if found is None and ";" in line:  # it was not asked for on this Python
        condition = line.partition(";")[2].strip()
        yield warning(name, f"not installed: it needs {condition}", f"use such a Python to run on {vendor}")
        return
    misfits = list(_misfit(name, line))
    if misfits:
        yield from misfits
        return
    try:
        import_module(f"ai_content_pipeline.providers.{vendor}")
    except (ImportError, AttributeError, TypeError) as error:
        yield misconfigured(name, f"{found} does not fit: {error}", f"pip install '{_wanted(line)}'")
        return
    yield ok(name, f"{found} ({_range(line)} wanted)")


def _misfit(name: str, line: str) -> Iterator[Finding]:
    found = _installed(name)
    if found is None:
        if ";" not in line:
            yield misconfigured(name, "not installed", f"pip install '{_wanted(line)}'")
    elif not fits(found, line):
        yield misconfigured(name, f"{found}, but {_range(line)} is wanted", f"pip install '{_wanted(line)}'")


def _extra(extra: str, lines: list[str]) -> Finding:
    lacking = [name for line in lines if _installed(name := _name(line)) is None]
    if not lacking:
        return ok(f"extra {extra}", "installed")
    how = f"pip install '{_DISTRIBUTION}[{extra}]'"
    return ok(f"extra {extra}", f"not installed ({how})")


def fits(found: str, requirement: str) -> bool:
    """Whether a version lies in a requirement's bounds. Pre-release marks count as their release."""
    return all(
        _COMPARE[sign](*_padded(found, bound))
        for sign, bound in _BOUND.findall(requirement.partition(";")[0])
    )


def _padded(*versions: str) -> tuple[tuple[int, ...], ...]:
    numbers = [[int(part) for part in re.findall(r"\d+", re.split(r"[^0-9.]", one)[0])] for one in versions]
    longest = max(map(len, numbers))
    return tuple(tuple(one + [0] * (longest - len(one))) for one in numbers)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match[0] if match else requirement


def _wanted(requirement: str) -> str:
    return requirement.partition(";")[0].strip()


def _range(requirement: str) -> str:
    return _wanted(requirement).removeprefix(_name(requirement)) or "any version"


def _is_extra(requirement: str) -> bool:
    return "extra ==" in requirement
