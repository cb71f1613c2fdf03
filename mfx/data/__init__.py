"""Files to `Ratings`: readers, downloads, columnar cache, synthetic data."""
