"""How every parser says no."""

from __future__ import annotations

import pytest

from memwarden.errors import ParseError


def refused(parse, text, **options):
    """The line number (0: the whole file) and the line of the refusal; fails when the text is taken."""
    with pytest.raises(ParseError) as caught:
        parse(text, path="/where/it/was", **options)
    error = caught.value
    assert error.path == "/where/it/was"
    assert str(error).startswith("/where/it/was:")
    return error.line_number, error.line
