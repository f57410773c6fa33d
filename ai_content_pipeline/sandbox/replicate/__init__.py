"""Replicate's protocol."""

from __future__ import annotations

from . import files, models, predictions
from .answers import problem

RECOGNISERS = (files.recognise, predictions.recognise, models.recognise)

__all__ = ["RECOGNISERS", "problem"]
