"""A plugin with one component of each kind but models."""
