"""Keeps the right process alive when Linux runs out of memory, and explains every death."""

__version__ = "0.1.0"
