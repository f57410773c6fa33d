"""The step types: one file each, named as in YAML. `registry` lists them, `protocol` says what one is."""
