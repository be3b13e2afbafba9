"""What every repository that people reach has: a database, and a caller to whom what is not theirs is not there."""

import copy
from typing import Self

from sqlalchemy import Engine

from storage.identity import SYSTEM, Caller


class Scoped:
    """The base of these repositories."""

    def __init__(self, engine: Engine, caller: Caller = SYSTEM) -> None:
        """Begin.

        Args:
            engine: of a migrated database.
            caller: who asks and changes; the system itself, by default, to whom all is there.
        """
        self._engine, self._caller = engine, caller

    def for_(self, caller: Caller) -> Self:
        """The same, as somebody may use it; what they change is noted under their name."""
        own = copy.copy(self)
        own._caller = caller  # noqa: SLF001 its own
        return own
