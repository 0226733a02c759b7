"""A version for a function: a hash of its code, so that an edited function is another version."""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
from collections.abc import Callable, Iterable
from typing import Any

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))


def code_version(function: Callable[..., Any]) -> str:
    """Return 16 hexadecimal digits that change if the function's code changes.

    They cover its bytecode, constants, default arguments, variables of enclosing functions, and
    global constants and functions of the same module or notebook which it names, and what these
    name. Comments and line numbers do not matter. Other modules, objects such as a model, and
    files are not covered. A newer Python may compile the same function to other bytecode.
    """
    return hashlib.sha256(_Encoder().encode(function).encode()).hexdigest()[:16]


class _Encoder:
    """Writes values as texts that are equal in every process; each function is written once."""

    def __init__(self) -> None:
        self._functions: dict[int, int] = {}

    def encode(self, value: Any) -> str:
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, set | frozenset):  # whose order differs between processes
            return self._join(sorted(map(self.encode, value)))
        if isinstance(value, tuple | list | dict):
            items = value.items() if isinstance(value, dict) else value
            return self._join(map(self.encode, items))
        if isinstance(value, types.CodeType):
            return self._join(
                (value.co_code.hex(), repr(value.co_names), self.encode(value.co_consts))
            )
        return self._callable(_unwrap(value))

    def _callable(self, value: Any) -> str:
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return self._join((self.encode(value.__func__), self._attributes(value.__self__)))
        if isinstance(value, functools.partial):
            return self._join(map(self.encode, (value.func, value.args, value.keywords)))
        call = vars(type(value)).get("__call__")
        if isinstance(call, types.FunctionType):
            return self._join((self._function(call), self._attributes(value)))
        name = getattr(value, "__qualname__", None) or type(value).__qualname__
        return f"{getattr(value, '__module__', '')}.{name}"

    def _function(self, function: types.FunctionType) -> str:
        if id(function) in self._functions:
            return f"function {self._functions[id(function)]}"
        self._functions[id(function)] = len(self._functions)
        cells = [_content(cell) for cell in function.__closure__ or ()]
        parts = (function.__code__, function.__defaults__, function.__kwdefaults__, cells)
        return self._join((*map(self.encode, parts), *self._globals(function)))

    def _attributes(self, value: Any) -> str:
        attributes = getattr(value, "__dict__", {})
        return self.encode({name: item for name, item in attributes.items() if _is_constant(item)})

    def _globals(self, function: types.FunctionType) -> Iterable[str]:
        for name in sorted(_names(function.__code__)):
            value = _unwrap(function.__globals__.get(name))
            is_here = getattr(value, "__module__", None) == function.__module__
            if isinstance(value, types.FunctionType) and is_here:
                yield f"{name}={self._function(value)}"
            elif value is not None and _is_constant(value):
                yield f"{name}={self.encode(value)}"

    @staticmethod
    def _join(parts: Iterable[str]) -> str:
        return f"({','.join(parts)})"


def _unwrap(value: Any) -> Any:
    """Return the function inside of a decorator such as functools.cache; other values unchanged."""
    return inspect.unwrap(value) if callable(value) else value


def _is_constant(value: Any) -> bool:
    """Return whether a value is not a list or mapping, which a function may use as a cache."""
    if isinstance(value, tuple | frozenset):
        return all(map(_is_constant, value))
    return isinstance(value, _PLAIN)


def _names(code: types.CodeType) -> set[str]:
    """Return the global names and attributes that code and the functions inside it use."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return {*code.co_names, *(name for part in inner for name in _names(part))}


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet
        return None
