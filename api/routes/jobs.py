"""Recorded footage: submitting it, watching how far it is, and what was found in it."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from api.access import access
from api.asking import Asked, Known, Named, Page, cursor
from api.context import ApiContext, Context
from api.footage_bodies import JobFileIn, JobIn
from api.footage_video import ArchiveResponse, VideoResponse
from api.job_archive import job_zip, reports_json, tracks_csv
from api.pictures import PRIVATE
from api.problems import ProblemError
from api.shapes import jobs as shapes
from api.shapes.common import Listed
from storage.errors import InvalidError
from storage.identity import Role
from storage.jobs import Job, JobState, JobsWanted, NewFile
from storage.media import media_file, media_files
from storage.telling import News, NewsKind

router = APIRouter(tags=["recorded footage"])

MOST_NUMBER: Final = 1_000_000
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_REPORT: Final[dict[str, Any]] = {"schema": {"type": "object", "additionalProperties": True}}

Number = Annotated[int, Path(ge=0, le=MOST_NUMBER, description="Of the file, from 0.")]


class JobsQuery(Page):
    """Which jobs."""

    state: JobState | None = None
    camera: Named | None = None
    building: Named | None = None


class ReportQuery(Asked):
    """How it is given."""

    format: Literal["json", "csv", "zip"] = Field(
        "json",
        description="`json`: the report, as `maskwatch video` writes it; of several files `{job, reports: [...]}`. `csv`: "
        "a line for each track. `zip`: both, with the snapshots and the videos with boxes and labels.",
    )


@router.post("/jobs", status_code=201, summary="Have recorded footage processed", openapi_extra=access(Role.OPERATOR))
def add_job(context: Context, job: JobIn, response: Response) -> shapes.Job:
    """It is `queued`, and goes on by itself. Footage that is known already is recognised, unless `fresh` is set.

    Answers with its `Location`.
    """
    camera = context.sites.camera(job.camera_id)
    made = context.jobs.create(job.record(_files(context, job), camera.policy))
    _tell(context, made)
    response.headers["Location"] = f"/api/v1/jobs/{made.id}"
    return _shown(context, made)


@router.get("/jobs", summary="Jobs", openapi_extra=access(Role.VIEWER))
def list_jobs(context: Context, query: Annotated[JobsQuery, Query()]) -> Listed[shapes.Job]:
    """Newest first."""
    wanted = JobsWanted(query.state, query.camera, query.building)
    found, after = context.jobs.list(wanted, query.cursor, query.limit)
    return Listed(items=[_shown(context, one) for one in found], next_cursor=cursor(after))


@router.get("/jobs/{job_id}", summary="One job", openapi_extra=access(Role.VIEWER))
def get_job(context: Context, job_id: Known) -> shapes.Job:
    """How far it is."""
    return _shown(context, context.jobs.get(job_id))


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job", openapi_extra=access(Role.OPERATOR))
def cancel_job(context: Context, job_id: Known) -> shapes.Job:
    """Nothing stays of it. It is `cancelling` until nobody works at it any more, at most some seconds; one that is done
    or has failed stays as it is: 409.
    """
    cancelled = context.jobs.cancel(job_id)
    _tell(context, cancelled)
    return _shown(context, cancelled)


@router.get(
    "/jobs/{job_id}/report",
    summary="What a job found",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/json": _REPORT,
                "text/csv": {"schema": {"type": "string"}},
                "application/zip": _BINARY,
            },
            "description": "As `format` says.",
        }
    },
    openapi_extra=access(Role.VIEWER),
)
def get_job_report(context: Context, job_id: Known, query: Annotated[ReportQuery, Query()]) -> Response:
    """Of all its files. Before it is done: 409 with its `state`. Who takes the `zip` sees people: it is noted."""
    job = _done(context, job_id)
    found = context.jobs.report(job_id)
    if query.format == "json":
        return Response(reports_json(job, found), media_type="application/json", headers=PRIVATE)
    named = f'attachment; filename="{job.id}.{query.format}"'
    headers = PRIVATE | {"Content-Disposition": named}
    if query.format == "csv":
        return Response(tracks_csv(job, found), media_type="text/csv", headers=headers)
    context.job_exports.note_export(job_id)
    about = _shown(context, job).model_dump_json(indent=1).encode()
    parts = job_zip(job, found, about, context.snapshots, context.footage.annotated)
    return ArchiveResponse(parts, media_type="application/zip", headers=headers)


@router.get(
    "/jobs/{job_id}/files/{number}/report",
    summary="What a job found in one file",
    response_class=Response,
    responses={200: {"content": {"application/json": _REPORT}, "description": "As `maskwatch video` writes it."}},
    openapi_extra=access(Role.VIEWER),
)
def get_file_report(context: Context, job_id: Known, number: Number) -> Response:
    """Before the job is done: 409 with its `state`."""
    _done(context, job_id)
    return Response(context.jobs.report(job_id, number)[0].report, media_type="application/json", headers=PRIVATE)


@router.get(
    "/jobs/{job_id}/files/{number}/video",
    summary="A file's video with boxes and labels",
    response_class=Response,
    responses={
        200: {"content": {"video/mp4": _BINARY}, "description": "H.264; it shows people as they were."},
        206: {"content": {"video/mp4": _BINARY}, "description": "The part that `Range` asks for."},
    },
    openapi_extra=access(Role.VIEWER),
)
def get_file_video(context: Context, job_id: Known, number: Number) -> Response:
    """Where the job was to make one. Takes `Range`, of one part. Who looks is noted."""
    _done(context, job_id)
    name = context.jobs.note_shown(job_id, number)
    return VideoResponse(context.footage.annotated / name, f"{job_id}-{number}.mp4")


def _shown(context: ApiContext, job: Job) -> shapes.Job:
    return shapes.Job.of(job, context.footage.media)


def _done(context: ApiContext, job_id: str) -> Job:
    """A job that is done.

    Raises:
        NotFoundError, ProblemError: there is none, or it is not.
    """
    job = context.jobs.get(job_id)
    if job.state is not JobState.DONE:
        why = "there will be no report" if job.ended_at_ns is not None else "ask again when it is done"
        raise ProblemError(409, "job-not-done", f"job {job.id} is {job.state.value}: {why}", state=job.state.value)
    return job


def _files(context: ApiContext, job: JobIn) -> tuple[NewFile, ...]:
    """What a job is about.

    Raises:
        InvalidError: a path leads out of the media root or nowhere, or a folder holds no footage.
        NotFoundError: there is no such upload.
    """
    if job.folder is not None:
        found = media_files(job.folder, context.footage.media)
        if not found:
            raise InvalidError(f"the folder {job.folder[:200]!r} holds no footage: name another one, or files")
        return tuple(NewFile(one.path, str(one.real)) for one in found)
    return tuple(_file(context, one) for one in job.files or ())


def _file(context: ApiContext, file: JobFileIn) -> NewFile:
    if file.path is not None:
        found = media_file(file.path, context.footage.media)
        return NewFile(found.path, str(found.real), start_ns=file.footage_start)
    upload = context.uploads.get(file.upload_id or "")
    return NewFile(upload.name, str(context.footage.uploads / upload.id), upload.id, file.footage_start)


def _tell(context: ApiContext, job: Job) -> None:
    kind = NewsKind.JOB if job.ended_at_ns is None else NewsKind.JOB_FINISHED
    context.telling.tell([News(kind, job.id, job.building_id)])
