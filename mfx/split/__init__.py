"""`Ratings` to train, valid and test."""
