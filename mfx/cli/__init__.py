"""The `mfx` command: one file per command."""
