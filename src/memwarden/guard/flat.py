"""A policy as what ``marshal`` and JSON can carry, so that one process can read it for another.

A record becomes a list of its class's name and its fields, in order; a tuple stays one; the rest is plain.
Both ends are the same version of this program, so that nothing has to be told about versions.
"""

from __future__ import annotations

from typing import Any, Final

from memwarden.guard import ir

RECORDS: Final[dict[str, Any]] = {
    name: found
    for name, found in vars(ir).items()
    if isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")
}


def flatten(value: Any) -> Any:
    """A policy, or a part of one, without its classes; :class:`TypeError` for what no policy is made of.

    >>> flatten(ir.Stuck(above_us=1, window_us=2, cgroups=("/a",)))
    ['Stuck', 1, 2, ('/a',), 0]
    """
    if isinstance(value, tuple):
        parts = [flatten(part) for part in value]
        name = type(value).__name__
        if RECORDS.get(name) is type(value):
            return [name, *parts]
        if type(value) is tuple:
            return tuple(parts)
    elif value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} is not part of a policy")


def unflatten(value: Any) -> Any:
    """What :func:`flatten` was given.

    >>> unflatten(["Stuck", 1, 2, ("/a",), 0])
    Stuck(above_us=1, window_us=2, cgroups=('/a',), for_us=0)
    """
    if isinstance(value, list):
        return RECORDS[value[0]](*map(unflatten, value[1:]))
    if isinstance(value, tuple):
        return tuple(map(unflatten, value))
    return value
