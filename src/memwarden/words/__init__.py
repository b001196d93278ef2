"""Typed documents in TOML: words with keys and units, read with file, line and hint, and written back.

A policy and a scenario are both read by tables of words; what stands in a table, its own package says
(``guard.policy``, ``sim.words``).
"""
