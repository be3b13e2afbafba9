"""Settings: every one has a name, a default, a range and a description, and can be set as `MASKWATCH_<NAME>`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from classify.classifier import SHIPPED_MODEL
from classify.quality import MIN_FACE_PX
from detect.models import DETECTORS
from ingest.pictures import MAX_PIXELS
from storage.errors import UsageError
from storage.networks import Networks

PREFIX: Final = "MASKWATCH_"
"""Of the environment variables."""


def _networks(text: str) -> str:
    """The text, which names networks."""
    try:
        Networks.parse(text)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return text


def _origin(url: str | None) -> str | None:
    """The address of a server, without a path."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        plain = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain or parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("give scheme and host, such as https://maskwatch.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


class Settings(BaseSettings):
    """What the system goes by. Options of a command override the environment, which overrides the defaults."""

    # A variable that is set to nothing is not set: container files pass on what they don't have as empty.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    data_dir: Annotated[
        Path, Field(description="Folder for everything the system keeps: database, snapshots, logs, demo clips.")
    ] = Path("maskwatch-data")
    models_dir: Annotated[Path, Field(description="Folder of the face detectors' model files, filled at set-up.")] = (
        Path(sys.prefix) / "share" / "maskwatch" / "models"
    )
    detector: Annotated[str, Field(description=f"Face detector: {' or '.join(DETECTORS)}.")] = "blazeface-full-range"
    detector_model: Annotated[
        Path | None, Field(description="A detector model file to use instead of the one in the models folder.")
    ] = None
    model: Annotated[Path, Field(description="Classifier: a LiteRT file with its labels.json beside it.")] = (
        SHIPPED_MODEL
    )
    min_face_px: Annotated[
        int, Field(ge=8, le=1000, description="Smallest face that is judged: the longer side of its box in pixels.")
    ] = MIN_FACE_PX
    dwell_s: Annotated[
        float, Field(ge=0, le=3600, description="Seconds that a breach must last to become an event.")
    ] = 1.0
    camera_dwell_s: Annotated[
        float | None, Field(ge=0, le=3600, description="Likewise, for all live cameras; each camera's own if not set.")
    ] = None
    camera_min_face_px: Annotated[
        int | None,
        Field(
            ge=8,
            le=1000,
            description="Smallest face that is judged, for all live cameras; each camera's own if not set.",
        ),
    ] = None
    fps: Annotated[float, Field(ge=0.01, le=120, description="Samples analysed for each second of footage.")] = 5.0
    threads: Annotated[int, Field(ge=1, le=64, description="Threads that look for faces.")] = min(
        4, os.cpu_count() or 1
    )
    max_picture_pixels: Annotated[
        int, Field(ge=1, description="Still pictures with more pixels are refused before decoding.")
    ] = MAX_PIXELS
    redis_url: Annotated[
        str | None,
        Field(description="A Redis (7 or newer) to use instead of the embedded one: redis://, rediss:// or unix://."),
    ] = None
    redis_prefix: Annotated[
        str,
        Field(
            pattern=r"\A[A-Za-z0-9_-]{1,40}\z",
            description="Before every key in Redis; systems that share a Redis need different ones.",
        ),
    ] = "maskwatch"
    database_url: Annotated[
        str | None, Field(description="A database to use instead of SQLite in the data folder: postgresql://.")
    ] = None
    frames_mib: Annotated[
        int,
        Field(ge=16, le=1_048_576, description="Shared memory for pictures on their way, in MiB; a 1080p one takes 6."),
    ] = 160
    shm_dir: Annotated[Path, Field(description="Where shared memory is mounted.")] = Path("/dev/shm")  # noqa: S108
    media_dir: Annotated[
        Path | None, Field(description="Folder that files played as cameras must lie in; `media` in the data folder.")
    ] = None
    partitions: Annotated[
        int, Field(ge=1, le=64, description="Aggregator processes; each camera belongs to one of them.")
    ] = 1
    live_backlog: Annotated[
        int, Field(ge=1, le=1000, description="Samples of a live camera that may wait; beyond, the oldest is shed.")
    ] = 10
    camera_networks: Annotated[
        str,
        Field(
            description=(
                "Networks that cameras may be in, separated by commas: private (loopback, RFC 1918, 100.64.0.0/10, fc00::/7, "
                "fe80::/10), any, or networks such as 192.0.2.0/24."
            )
        ),
        AfterValidator(_networks),
    ] = "private"
    ingests: Annotated[int, Field(ge=1, le=64, description="Ingest processes; each camera belongs to one of them.")] = 1
    jobs_workers: Annotated[
        int, Field(ge=0, le=64, description="Processes that work on recorded footage; 0: none on this machine.")
    ] = 1 if (os.cpu_count() or 1) < 4 else 2
    job_lease_s: Annotated[
        float,
        Field(
            ge=2,
            le=60,
            description="Seconds after which the work of a process that shows no life is given to another.",
        ),
    ] = 10.0
    upload_mib: Annotated[
        int, Field(ge=1, le=1_048_576, description="Largest recorded footage that may be uploaded, in MiB.")
    ] = 16_384
    frame_store: Annotated[
        Literal["auto", "shared", "redis"],
        Field(
            description="Where pictures on their way are: shared (memory of this host), redis (any host), or auto: shared "
            "where all workers are on one host."
        ),
    ] = "auto"
    classify_backend: Annotated[
        Literal["auto", "litert", "tensorflow"],
        Field(description="What the classifier runs on; auto: tensorflow where it is installed and finds a GPU."),
    ] = "auto"
    secret_key: Annotated[
        SecretStr | None,
        Field(
            description="Key that camera passwords are encrypted with, and logins signed with a key made from; made and kept "
            "in the data folder if not set."
        ),
    ] = None
    login: Annotated[
        Literal["auto", "always"],
        Field(description="Who has to log in: auto: everybody but people at this machine itself; always: everybody."),
    ] = "auto"
    public_url: Annotated[
        str | None,
        Field(
            description="Where browsers find the console, where that is not where it listens: https://host behind a proxy."
        ),
        AfterValidator(_origin),
    ] = None


def load_settings(**options: object) -> Settings:
    """Settings from the environment, overridden by the options that are not None.

    Raises:
        UsageError: a value is out of range; the message names the setting and the range.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]).removeprefix(PREFIX).lower()
        raise UsageError(f"setting {name}: {first['msg']} (got {first['input']!r})") from error
