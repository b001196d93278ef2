"""Scenarios as TOML, both ways: the words, what is wrong with a file, and what is legal and odd."""
