"""Signs of life from long work."""

from collections.abc import Callable

Progress = Callable[[], None]
"""To be called for each part of long work, never within a transaction; it may raise what ends the work."""


def unwatched() -> None:
    """Nobody waits for a sign of life."""
