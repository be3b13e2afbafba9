"""Camera addresses as they are stored: one with a password is encrypted, and the same as it may be shown stands behind it.

So whoever has lost the key still sees which camera it is.
"""

from collections.abc import Callable

from storage.database.userinfo import shown_address
from storage.secrets import SEALED, Secrets


def seal_address(url: str, seal: Callable[[str], str]) -> str:
    """What is stored: the address itself where it holds no secret.

    Args:
        url: ready for use.
        seal: encrypts.
    """
    shown = shown_address(url)
    return url if shown == url else f"{seal(url)} {shown}"


def open_address(stored: str, secrets: Secrets) -> str:
    """The address.

    Raises:
        SetupError: see `Secrets.open`.
    """
    return secrets.open(stored.partition(" ")[0]) if stored.startswith(SEALED) else stored


def shown_stored(stored: str) -> str:
    """The address as it may be shown, without a key."""
    # Earlier versions hid less.
    return shown_address(stored.partition(" ")[2] if stored.startswith(SEALED) else stored)


def shows_secret(stored: str, address: str) -> bool:
    """Whether what stands behind an encrypted address shows more of it than is shown now."""
    return stored.partition(" ")[2] != shown_address(address)
