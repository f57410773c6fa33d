"""fal.ai's protocol."""

from __future__ import annotations

from . import catalogue, listing, queue, storage
from .answers import error

RECOGNISERS = (catalogue.recognise, listing.recognise, storage.recognise, queue.recognise)

__all__ = ["RECOGNISERS", "error"]
