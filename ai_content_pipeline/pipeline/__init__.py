"""The file a user writes: read with positions, typed, checked, and expanded into items."""
