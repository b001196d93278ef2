"""Our own policy language: TOML text to IR with file, line and hint, and IR back to words.

``load`` reads texts, ``render`` writes them, ``doubts`` says what is allowed and hardly meant. Both ways
go over the same tables in ``words``, so that what can be read can be written, and the reference is made
from them.
"""
