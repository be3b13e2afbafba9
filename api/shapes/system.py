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
    device: str | None = Field(
        None, description="What a worker's network runs on; null of what has none.", examples=["litert on cpu"]
    )
    store: str | None = Field(
        None,
        description="The frame store in shared memory that a worker sees: workers with the same one pass pictures on "
        "through it, others through Redis. Null where it sees none.",
    )


class Ready(BaseModel):
    """Everything works."""

    status: Literal["ready"] = "ready"
    checks: list[Check]


class Version(BaseModel):
    """What runs here."""

    name: Literal["maskwatch"] = "maskwatch"
    version: str
    api_version: Literal["1"] = "1"
