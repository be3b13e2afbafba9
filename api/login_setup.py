"""How people log in, as the settings say."""

from dataclasses import dataclass, field
from typing import Literal

from storage.passwords import Passwords


@dataclass(frozen=True, slots=True)
class LoginSetup:
    """How people log in.

    Attributes:
        mode: auto: not at this machine itself, on its loopback; always: everywhere.
        public_url: where browsers find the page, without a slash at the end: of a proxy, say; None: where it listens.
        passwords: checks hashes.
    """

    mode: Literal["auto", "always"] = "auto"
    public_url: str | None = None
    passwords: Passwords = field(default_factory=Passwords)
