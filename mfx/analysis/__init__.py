"""Finished runs and models to comparisons, explanations, recommendations and pages."""
