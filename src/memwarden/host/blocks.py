"""What stands behind ``with`` in a process that has to be small: ``contextlib`` takes a quarter of a MiB."""

from __future__ import annotations

import os


class Suppress:
    """Goes on after the block when one of these errors ends it, as ``contextlib.suppress`` does."""

    __slots__ = ("_errors",)

    def __init__(self, *errors: type[BaseException]) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> bool:
        return kind is not None and issubclass(kind, self._errors)


class Held:
    """An open descriptor, which is closed at the end of the block, however that ends."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_error: object) -> None:
        os.close(self._fd)
