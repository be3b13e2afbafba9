"""What MediaPipe imports without need when it is imported, kept out of the process.

TensorFlow, where the extra `train` is installed, for nothing but a decorator of its documentation, which MediaPipe does
without where there is none: 600 MiB and 3 s. matplotlib for a function that draws: 25 MiB and 0.3 s.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Final

ABSENT: Final = ("tensorflow",)
"""Said not to be installed."""

LATER: Final = ("matplotlib", "matplotlib.pyplot")
"""Loaded when they are first used, which is never; a package stands before what is in it."""


@contextmanager
def spared() -> Iterator[None]:
    """Within the block these modules are not loaded, unless they were before; afterwards they can be, by anybody.

    For imports at the start of a process: it holds for all threads.
    """
    before = dict(sys.modules)
    stand_ins: dict[str, ModuleType | None] = {name: None for name in ABSENT if name not in before}
    # All or nothing: a real package gives real modules.
    if not before.keys() & LATER:
        stand_ins |= {name: _Later(name) for name in LATER}
        for name in LATER:
            package, _, rest = name.rpartition(".")
            if package:
                setattr(stand_ins[package], rest, stand_ins[name])
    sys.modules.update(stand_ins)  # type: ignore[arg-type]  # None is what says that there is no such module
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if name in sys.modules and sys.modules[name] is module:
                del sys.modules[name]


class _Later(ModuleType):
    """Stands for a module, which is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> object:
        # Who asks within the block would be sent back here.
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)
