"""Engines: where the rows of a fit are solved; on this machine, or on a cluster that others have built."""
