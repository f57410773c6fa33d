"""A YAML-driven pipeline for generated media that never loses or double-spends a cent."""

__version__ = "0.1.0"
