"""Implicit alternating least squares for MFX: `mfx model=ials`."""
