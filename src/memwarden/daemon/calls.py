"""What ``ctypes`` is in the guard's process: functions of the C library by name, and buffers.

The compiled half of it does the calls; the other half, which knows every type of C, would be 0.2 MiB.
"""

from __future__ import annotations

import _ctypes

get_errno = _ctypes.get_errno
set_errno = _ctypes.set_errno


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - its own name
    _type_ = "i"


class _Char(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - its own name
    _type_ = "c"


class _Function(_ctypes.CFuncPtr):
    """It takes numbers, bytes and buffers, returns an ``int``, and its ``errno`` is kept."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


class CDLL:
    """The functions of what this process has loaded, the C library above all."""

    def __init__(self, name: None, *, use_errno: bool = True) -> None:
        assert use_errno
        self._handle = _ctypes.dlopen(name, 0)  # type: ignore[arg-type]  # no name is all that is loaded

    def __getattr__(self, name: str) -> _Function:
        return _Function(_ctypes.dlsym(self._handle, name))


def create_string_buffer(size: int) -> object:
    """So many bytes that a function may write to."""
    return (_Char * size)()
