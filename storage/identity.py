"""Who asks, and what they may: every repository that people reach takes the caller and shows only what is theirs."""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from storage.errors import NotAllowedError


class Role(StrEnum):
    """What somebody may do; each may all that those before it may."""

    VIEWER = "viewer"
    """See cameras, figures, tracks, events and their pictures."""
    REVIEWER = "reviewer"
    """Also judge events."""
    OPERATOR = "operator"
    """Also set up cameras and buildings, look through a camera, and process footage."""
    ADMIN = "admin"
    """Also give others access, and see who did what."""

    @property
    def rank(self) -> int:
        """0 for the one that may least."""
        return list(Role).index(self)


class Caller(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        id: of the account or API key; `local` for a person at this machine, `system` for the system itself.
        name: by which people know them; it goes into reviews and the audit log.
        kind: what they are.
        role: what they may.
        buildings: identifiers of those they may see; None: all, and what belongs to no building.
        address: where from, an IP address; None where there is none.
    """

    id: str
    name: str
    kind: Literal["account", "key", "local", "system"]
    role: Role
    buildings: frozenset[str] | None = None
    address: str | None = None

    def may(self, role: Role) -> bool:
        """Whether they may what that role may."""
        return self.role.rank >= role.rank

    def sees(self, building_id: str) -> bool:
        """Whether what belongs to a building is theirs to see; "" is no building."""
        return self.buildings is None or building_id in self.buildings

    def need_all(self, what: str) -> None:
        """Refuse who may see some buildings only.

        Args:
            what: concerns all of them, such as `credentials`.

        Raises:
            NotAllowedError: they may not.
        """
        if self.buildings is not None:
            raise NotAllowedError(f"{what} concern all buildings, and {self.name!r} may see some only")


SYSTEM: Final = Caller("system", "Maskwatch", "system", Role.ADMIN)
"""The system itself; it sees everything."""
