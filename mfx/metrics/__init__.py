"""Scores and held-out ratings to numbers."""
