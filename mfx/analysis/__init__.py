"""Data sets, finished runs and models to pages, comparisons, explanations and recommendations."""
