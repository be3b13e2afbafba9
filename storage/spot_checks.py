"""Which passages people check, drawn at random: by the passage's identifier and a key that nobody outside knows.

So nobody can tell beforehand who is drawn, and whoever begins again at the last transaction draws the same.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from storage.messages import NS_PER_S
from storage.words import Label

WEIGHTS: Final[Mapping[Label, float]] = {
    Label.WITH_MASK: 1.0,
    Label.WITHOUT_MASK: 5.0,
    Label.INCORRECT_MASK: 5.0,
    Label.UNKNOWN: 2.0,
}
"""How many times the building's share: labels that are rare are checked, too."""

KEPT_NS: Final = 48 * 3600 * NS_PER_S
"""How long the picture of a passage waits for somebody to check it."""

KEY_BYTES: Final = 32
_STEPS: Final = 2**53
"""Numbers that a double tells apart between 0 and 1."""


def lot(key: bytes, track_id: str) -> float:
    """A number in [0, 1), as if drawn at random (BLAKE2b with a key, RFC 7693).

    Args:
        key: of this installation, `KEY_BYTES` bytes.
        track_id: the passage's.
    """
    digest = hashlib.blake2b(track_id.encode(), key=key, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / _STEPS


def probability(share: float, label: Label) -> float:
    """With which a passage is drawn.

    Args:
        share: of the building, 0 to 1.
        label: by the system, when the passage is over.
    """
    return min(1.0, share * WEIGHTS[label])


@dataclass(frozen=True, slots=True)
class Drawing:
    """How passages are drawn.

    Attributes:
        key: see `lot`; b"": none is drawn.
        shares: of the buildings, by camera; only cameras whose passages are drawn at all.
    """

    key: bytes = field(default=b"", repr=False)
    shares: Mapping[str, float] = field(default_factory=dict)

    def share(self, camera: str) -> float:
        """That of a camera's building."""
        return self.shares.get(camera, 0.0)

    def may_be_drawn(self, track_id: str, share: float) -> bool:
        """Whether a passage is drawn for one of the labels at least: its face has to be kept until that is known."""
        return share > 0.0 and lot(self.key, track_id) < probability(share, max(WEIGHTS, key=WEIGHTS.__getitem__))

    def drawn(self, track_id: str, share: float, label: Label) -> float | None:
        """With which probability a passage of this label was drawn; None: it was not."""
        chance = probability(share, label)
        return chance if lot(self.key, track_id) < chance else None
