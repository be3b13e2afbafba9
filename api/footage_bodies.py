"""What is sent to have recorded footage processed."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from api.asking import Named
from api.bodies import Fps, PolicyIn
from api.times import Time
from storage.database.records import Policy
from storage.errors import UsageError
from storage.jobs import NewFile, NewJob
from storage.media import LONGEST_PATH, MOST_FILES
from storage.name_patterns import name_shape

MOST_OF_FILE: Final = 8
MOST_BESIDE: Final = 1000
"""Values in what is sent; far more than there can be. A body may be long, and each that is wrong would be told of."""


def _few(data: Any, most: int) -> Any:
    """Give back what was sent; ValueError where there is too much in it."""
    waiting, count = [data], 0
    while waiting:
        one = waiting.pop()
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += 1
        if count > most + 1:
            raise ValueError(f"there are more than {most} values in it")
    return data


def _pattern(text: str) -> str:
    try:
        name_shape(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


def _printable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a name holds no NUL")
    return text


Label = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_printable)]
"""What people call a file: it is no path."""

MediaPath = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH), AfterValidator(_printable)]
Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable), AfterValidator(_pattern)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JobFileIn(_Body):
    """A file of a job: one under the media root, or one that was sent."""

    path: MediaPath | None = Field(None, description="Below the media root.", examples=["2026-07-01/door.mp4"])
    upload_id: Named | None = Field(None, description="Of an upload.")
    footage_start: Time | None = Field(None, description="When it began; default: see the job.")

    @model_validator(mode="before")
    @classmethod
    def _sent(cls, data: Any) -> Any:
        return _few(data, MOST_OF_FILE)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.path is None) == (self.upload_id is None):
            raise ValueError("give either `path` or `upload_id`")
        return self


class JobIn(_Body):
    """Recorded footage of one camera, to be processed: `files`, or all of a `folder`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "camera_id": "c1",
                    "footage_start": "2026-07-01T08:00:00Z",
                    "annotate": True,
                    "files": [{"path": "2026-07-01/door.mp4"}],
                }
            ]
        },
    )

    camera_id: Named
    building_id: Named | None = Field(None, description="Where it was seen; default: where the camera is now.")
    zone_id: Named | None = Field(None, description="Likewise.")
    footage_start: Time | None = Field(
        None,
        description="When the first file began; the others follow without a gap. Default: each file says so itself.",
    )
    name_pattern: Pattern | None = Field(
        None,
        description="How the files' names say when they began, as for Python's `strptime`, by the building's clock unless "
        "it holds `%z`. Default: what the files' metadata say.",
        examples=["door-%Y-%m-%d_%H-%M-%S.mp4"],
    )
    fps: Fps | None = Field(None, description="Samples for each second of footage; default: the camera's.")
    policy: PolicyIn | None = Field(None, description="What is not given is as the camera has it.")
    annotate: bool = Field(False, description="Whether to make a video with boxes and labels of each file.")
    fresh: bool = Field(False, description="Whether to analyse anew what is known already, and to replace it.")
    files: Annotated[list[JobFileIn], Field(min_length=1, max_length=MOST_FILES)] | None = None
    folder: Annotated[str, Field(max_length=LONGEST_PATH), AfterValidator(_printable)] | None = Field(
        None, description="All videos in it and in its folders, by path; `` is the media root itself."
    )

    @model_validator(mode="before")
    @classmethod
    def _sent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            _few({name: value for name, value in data.items() if name != "files"}, MOST_BESIDE)
        return data

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.files is None) == (self.folder is None):
            raise ValueError("give either `files` or `folder`")
        return self

    def record(self, files: tuple[NewFile, ...], base: Policy) -> NewJob:
        """The same for the database.

        Args:
            files: that it is about.
            base: the camera's policy.
        """
        given: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("camera_id", "building_id", "zone_id", "fps", "annotate", "fresh", "name_pattern")
        }
        policy = None if self.policy is None else self.policy.record(base)
        return NewJob(**given, files=files, policy=policy, start_ns=self.footage_start)
