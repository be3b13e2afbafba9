"""What a job is made from when it is submitted: the camera as it is then, files, and uploads that are its own from then on."""

import math
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from storage.database.checks import check_policy
from storage.database.models import BuildingRow, CameraRow, UploadRow, ZoneRow
from storage.database.records import Policy, Thresholds
from storage.errors import ConflictError, InvalidError, NotFoundError
from storage.identity import Caller, Role
from storage.jobs import JobOptions, NewJob
from storage.messages import NS_PER_S
from storage.regions import Region

MOST_FILES: Final = 10_000
LONGEST_NAME: Final = 1024
"""Characters of a file's name."""

LONGEST_PATH: Final = 8192
LONGEST_PATTERN: Final = 200
FPS: Final = (0.01, 120.0)
CHUNK_S: Final = (1.0, 3600.0)
LATEST_NS: Final = 4_102_444_800 * NS_PER_S
"""The year 2100; footage that begins later has a wrong clock."""


def check_new_job(new: NewJob) -> None:
    """Look at what needs no database.

    Raises:
        InvalidError: a value that can't be accepted, no file, or too many.
    """
    if not 1 <= len(new.files) <= MOST_FILES:
        raise InvalidError(f"a job has 1 to {MOST_FILES} files, not {len(new.files)}")
    for file in new.files:
        # An upload has its name already.
        if file.upload_id is None:
            check_file_name(file.name)
        check_file_name(file.path, LONGEST_PATH)
    for start_ns in (new.start_ns, *(file.start_ns for file in new.files)):
        if start_ns is not None and not 0 <= start_ns <= LATEST_NS:
            raise InvalidError("footage begins between the years 1970 and 2100: check when it began")
    for value, (least, most), what in (
        (new.fps, FPS, "samples a second"),
        (new.chunk_s, CHUNK_S, "seconds in a chunk"),
    ):
        if value is not None and not (math.isfinite(value) and least <= value <= most):
            raise InvalidError(f"{least:g} to {most:g} {what}, not {value:g}")
    if new.name_pattern is not None and not 1 <= len(new.name_pattern) <= LONGEST_PATTERN:
        raise InvalidError(f"a pattern of names has 1 to {LONGEST_PATTERN} characters")
    if new.policy is not None:
        check_policy(new.policy)


def check_file_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Give it back, or refuse it; quotes, line feeds and whatever else there is in names are no trouble.

    Raises:
        InvalidError: empty, too long, with NUL in it, or not Unicode.
    """
    if not 1 <= len(name) <= longest or "\0" in name:
        raise InvalidError(f"the name of a file has 1 to {longest} characters, none of them NUL")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidError("the name of a file is not UTF-8: rename it, and submit it again") from None
    return name


def placed(connection: Connection, caller: Caller, new: NewJob) -> dict[str, Any]:
    """The row of a job as far as camera, building and zone make it up.

    NotFoundError: there is no such camera, building or zone of the caller's, or it is archived.
    """
    camera = connection.execute(select(CameraRow.__table__).where(CameraRow.id == new.camera_id)).first()
    if camera is None or not caller.sees(camera.building_id):
        raise NotFoundError(f"there is no camera {new.camera_id!r}: list the cameras, or add it first")
    if camera.archived_at_ns is not None:
        raise NotFoundError(f"camera {camera.id!r} was removed: choose another")
    building_id = new.building_id or camera.building_id
    building = connection.execute(select(BuildingRow.__table__).where(BuildingRow.id == building_id)).first()
    if building is None or not caller.sees(building_id):
        raise NotFoundError(f"there is no building {building_id!r}: list the buildings, or add it first")
    if building.archived_at_ns is not None:
        raise NotFoundError(f"building {building_id!r} was removed: choose another")
    zone_id = new.zone_id
    if zone_id is None and building_id == camera.building_id:
        zone_id = camera.zone_id
    if zone_id is not None:
        zone = select(ZoneRow.id).where(ZoneRow.id == zone_id, ZoneRow.building_id == building_id)
        if connection.execute(zone).first() is None:
            raise NotFoundError(f"building {building_id} has no zone {zone_id!r}: list its zones")
    policy = new.policy or msgspec.convert(camera.policy, Policy)
    thresholds = msgspec.convert(camera.thresholds, Thresholds)
    options = JobOptions(
        fps=new.fps or camera.analyze_fps,
        min_face_px=camera.min_face_px,
        dwell_s=policy.dwell_s,
        labels=policy.labels,
        hours=policy.hours,
        detection=thresholds.detection,
        confidence=thresholds.confidence,
        regions=msgspec.convert(camera.regions, tuple[Region, ...]),
        chunk_s=new.chunk_s,
        annotate=new.annotate,
        fresh=new.fresh,
        start_ns=new.start_ns,
        name_pattern=new.name_pattern,
        timezone=building.timezone,
    )
    row = {"camera_id": camera.id, "building_id": building_id, "zone_id": zone_id, "counts": camera.counts}
    return row | {"options": msgspec.to_builtins(options)}


def take_uploads(connection: Connection, caller: Caller, new: NewJob, job_id: str) -> list[dict[str, Any]]:
    """The rows of a job's files; uploads among them are its own from now on.

    NotFoundError: there is no such upload of the caller's; ConflictError: it is another job's, or named twice.
    """
    rows = []
    for number, file in enumerate(new.files):
        row: dict[str, Any] = {"job_id": job_id, "number": number, "name": file.name, "path": file.path}
        row |= {"upload_id": file.upload_id, "start_ns": file.start_ns, "size": None, "sha256": None}
        if file.upload_id is not None:
            upload = connection.execute(
                select(UploadRow.__table__).where(UploadRow.id == file.upload_id).with_for_update()
            ).first()
            if upload is None or not owns(caller, upload.created_by_id):
                raise NotFoundError(f"there is no upload {file.upload_id!r}: send the file first")
            if upload.job_id is not None:
                raise ConflictError(f"upload {upload.id} is read by job {upload.job_id}: send the file again")
            connection.execute(update(UploadRow).where(UploadRow.id == upload.id).values(job_id=job_id))
            row |= {"name": upload.name, "size": upload.bytes, "sha256": upload.sha256}
        rows.append(row)
    return rows


def owns(caller: Caller, created_by_id: str) -> bool:
    """Whether what somebody sent is a caller's to use: their own, and anybody's for those who may do and see everything."""
    return caller.id == created_by_id or (caller.buildings is None and caller.may(Role.ADMIN))
