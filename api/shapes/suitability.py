"""How well a camera sees faces, in the API's words."""

from typing import Self

from pydantic import BaseModel, Field

from storage import suitability
from storage.suitability import Verdict


class Spread(BaseModel):
    """Three quantiles: a tenth lies below `p10`, half below `p50`, nine tenths below `p90`."""

    p10: float
    p50: float
    p90: float


class Suitability(BaseModel):
    """How well a camera sees faces."""

    verdict: Verdict
    sentences: list[str] = Field(
        description="What is wrong and what to do, weightiest first; then what to know about it."
    )
    warnings: list[str] = Field(
        description="What has changed for the worse since it was set up: moved, dirty, dark; not what a camera's status "
        "says of its sub-stream."
    )
    zoom: float | None = Field(
        description="By which a face has to grow in the picture for nine of ten passages; null where none has to, or "
        "nothing is known."
    )
    needed_px: int = Field(description="Longer side of the smallest face that is judged: the camera's `min_face_px`.")
    comfortable_px: int = Field(description="From here on faces are seldom missed.")
    samples: int = Field(description="Moments looked at.")
    faces: int
    passages: int
    widths: Spread | None = Field(description="Of all faces, longer side in pixels.")
    largest: Spread | None = Field(description="Of the largest face of each passage, likewise.")
    sharpness: Spread | None = Field(
        description="Of faces: 0 where every fine structure is lost; below 0.08 is blurred."
    )
    brightness: Spread | None = Field(description="Of faces, 0 to 1; below 0.12 is too dark.")
    turn: Spread | None = Field(description="Of faces: 0 frontal, 1 profile; above 0.75 is turned away.")
    unknown: dict[str, float] = Field(description="Share of the passages without a label, by reason.")
    unjudged: dict[str, float] = Field(description="Share of the faces that can't be judged by themselves, by reason.")

    @classmethod
    def of(cls, found: suitability.Suitability, warnings: tuple[str, ...]) -> Self:
        """From what was found."""
        given = {field: getattr(found, field) for field in found.__struct_fields__}
        return cls.model_validate({**given, "warnings": list(warnings)}, from_attributes=True)


class Tested(Suitability):
    """The same, and of what."""

    camera_id: str | None = Field(description="Null for an address that is no camera's.")
    url: str
    seconds: float = Field(description="For how long it was watched.")

    @classmethod
    def by(cls, found: suitability.Suitability, camera_id: str | None, url: str, seconds: float) -> Self:
        """From what was found at an address, as it may be shown."""
        shown = Suitability.of(found, ()).model_dump()
        return cls(**shown, camera_id=camera_id, url=url, seconds=round(seconds, 1))
