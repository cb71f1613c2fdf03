"""MFX: an experiment framework for matrix-factorisation recommenders."""
