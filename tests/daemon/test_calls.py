"""Functions of the C library, called without what Python's own ``ctypes`` has for all of C."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from memwarden.daemon import calls


@pytest.fixture(params=[calls, ctypes], ids=["calls", "ctypes"])
def module(request):
    return request.param


def test_a_call_with_numbers(module):
    assert module.CDLL(None, use_errno=True).getppid() == os.getppid()


def test_what_went_wrong_is_kept(module):
    module.set_errno(0)
    assert module.CDLL(None, use_errno=True).close(-1) == -1
    assert module.get_errno() == errno.EBADF


def test_bytes_are_given_by_their_address(module):
    assert module.CDLL(None, use_errno=True).strlen(b"four") == 4


def test_a_buffer_is_written_to(module):
    buffer = module.create_string_buffer(8)
    module.CDLL(None, use_errno=True).memcpy(buffer, b"memory", 7)
    assert len(buffer) == 8
    assert buffer.raw == b"memory\0\0"


def test_a_function_that_is_not_there(module):
    with pytest.raises((AttributeError, OSError)):
        module.CDLL(None, use_errno=True).no_such_function_is_there()
