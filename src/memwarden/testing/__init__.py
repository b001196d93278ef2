"""Tools for tests of memwarden and of programs built on it. Nothing else here imports them."""
