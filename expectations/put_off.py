"""Modules that a library imports and we do not need: they are loaded when something of them is first used.

Great Expectations imports SciPy's statistics and Altair for one expectation and its picture, which no suite
has: a third of the time that its import takes. What does NOT belong here: importing Great Expectations.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


@contextmanager
def put_off(*names: str) -> Iterator[None]:
    """Have modules stand for themselves while something imports them.

    Whoever imported one meanwhile keeps what stands for it, and finds everything in it. Whoever imports it
    afterwards gets the module itself.

    Args:
        names: Modules by their full names; one that is loaded already stays as it is.
    """
    standing = {name: _stand_in(name) for name in names if name not in sys.modules}
    sys.modules.update(standing)
    try:
        yield
    finally:
        for name, module in standing.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _stand_in(name: str) -> ModuleType:
    def found(attribute: str) -> object:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    module = ModuleType(name)
    # what a module does not have, it asks this for (PEP 562)
    module.__dict__["__getattr__"] = found
    return module
