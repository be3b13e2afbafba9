"""What the API asks the `classify` role about single pictures, and what it is answered; nothing of it is kept."""

from enum import StrEnum

import msgspec

from storage.messages import Box


class Fault(StrEnum):
    """Why there is no answer."""

    PICTURE = "picture"
    """The picture can't be used."""
    SETUP = "setup"
    """This installation can't answer: a model that explains nothing, a missing file."""


class AnalyzeAsked(msgspec.Struct, frozen=True):
    """Who wears what in a picture?

    Attributes:
        picture: a file's content, as somebody sent it.
        name: that the answer calls it by.
        annotate: a JPEG with boxes and labels is wanted, instead of words.
    """

    picture: bytes
    name: str
    annotate: bool = False

    def __repr__(self) -> str:
        return f"AnalyzeAsked({len(self.picture)} bytes)"


class ExplainAsked(msgspec.Struct, frozen=True):
    """Which parts of a face speak for a label?

    Attributes:
        picture: a snapshot.
        box: the face in it; None: the largest that is found.
        label: to be explained.
    """

    picture: bytes
    box: Box | None
    label: str

    def __repr__(self) -> str:
        return f"ExplainAsked({len(self.picture)} bytes, {self.label})"


class LookAnswer(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        body: JSON or JPEG; None where there is a fault.
        fault: why there is none.
        reason: likewise, in a sentence for people.
    """

    body: bytes | None
    fault: Fault | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        return f"LookAnswer({0 if self.body is None else len(self.body)} bytes, fault={self.fault})"
