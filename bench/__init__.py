"""Measured claims, as ratios in one run against a named rival or a physical limit."""
