"""What several shapes have in common."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from api.times import iso

Item = TypeVar("Item")

Breach = Literal["without_mask", "incorrect_mask"]
Verdict = Literal["pending", "confirmed", "dismissed"]


class Listed(BaseModel, Generic[Item]):
    """A page of a list, newest first."""

    items: list[Item]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


def iso_or_none(at_ns: int | None) -> str | None:
    """A time that may not be there."""
    return None if at_ns is None else iso(at_ns)
