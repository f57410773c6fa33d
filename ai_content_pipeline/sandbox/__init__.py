"""A local stand-in for fal.ai and Replicate: real media, counted charges, faults by script.

It listens on loopback alone, has no network of its own and costs nothing. Point the official clients
at it and run pipelines with no key.
"""

from __future__ import annotations

from .faults import Match, Rule, Script, read_script
from .process import JobRow, Sandbox, run
from .state import Charge, Clock, Leak, Settings

__all__ = [
    "Charge",
    "Clock",
    "JobRow",
    "Leak",
    "Match",
    "Rule",
    "Sandbox",
    "Script",
    "Settings",
    "read_script",
    "run",
]
