"""Objects whose `__init__` raised are in tracebacks, where they need a repr."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import musicapi_nb
from musicapi_nb import markup


def _classes() -> Iterator[Any]:
    """Yield the classes of the package with a constructor and a repr of their own."""
    for module in pkgutil.walk_packages(musicapi_nb.__path__, "musicapi_nb."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and value.__module__ == module.name:
                methods = [vars(value).get(name) for name in ("__init__", "__repr__")]
                if all(inspect.isfunction(method) for method in methods):
                    yield value


CLASSES = sorted({cls for cls in _classes() if not hasattr(cls, "__match_args__")}, key=str)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_half_made_object_has_a_repr(cls: Any) -> None:
    assert repr(cls.__new__(cls)).strip()


def test_classes_are_found() -> None:
    assert {"Library", "Session", "Job", "Form", "Gallery"} <= {cls.__name__ for cls in CLASSES}


def test_other_missing_attributes_are_not_hidden() -> None:
    class Part:
        pass

    class Whole:
        part: Any = Part()

        @markup.safe_repr
        def __repr__(self) -> str:
            return str(self.part.name)

    with pytest.raises(AttributeError, match="name"):
        repr(Whole())
