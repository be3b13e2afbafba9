"""The numbers that chance can start from."""

from typing import Final

from storage.errors import UsageError

MAX_SEED: Final = 2**31 - 1


def check_seed(seed: int) -> None:
    """Refuse a seed that some source of chance would not take.

    Raises:
        UsageError: it is below 0 or above `MAX_SEED`.
    """
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"--seed must be from 0 to {MAX_SEED}, not {seed}")
