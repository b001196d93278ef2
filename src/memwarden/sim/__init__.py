"""A small world that obeys :mod:`memwarden.rules` and takes the guard's intents.

A scenario goes in, a result comes out; nothing here reads a clock, a file or a version. Time is in
microseconds of the simulated machine, memory in bytes at the edges and in pages inside.
"""
