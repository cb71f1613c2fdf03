"""EASE^R, a linear item-item model in closed form, for MFX: `mfx model=ease`."""
