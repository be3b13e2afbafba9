"""Whether the system works, and what it is."""

from typing import Literal

from pydantic import BaseModel, Field


class Live(BaseModel):
    """The API runs."""

    status: Literal["live"] = "live"


class Check(BaseModel):
    """Whether one part of the system works."""

    name: str = Field(examples=["database"])
    ok: bool
    detail: str | None = Field(description="What is wrong, or what a worker is waiting for.")


class Ready(BaseModel):
    """Everything works."""

    status: Literal["ready"] = "ready"
    checks: list[Check]


class Version(BaseModel):
    """What runs here."""

    name: Literal["maskwatch"] = "maskwatch"
    version: str
    api_version: Literal["1"] = "1"
