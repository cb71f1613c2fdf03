"""A data set before any model: what is in it, as numbers, figures and one page."""
