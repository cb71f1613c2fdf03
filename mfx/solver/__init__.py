"""Arrays in, arrays out: the numba back end that every model shares; knows no recommender."""
