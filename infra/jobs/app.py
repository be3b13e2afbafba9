"""Celery as it distributes jobs: what goes over Redis are names and identifiers, and all of it may get lost.

What is to be done is in the database. So messages may come twice, late or never: whoever gets one looks up what there
is to do, and `infra.jobs.tending` sends again what nobody took.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import celery
from celery.schedules import schedule
from kombu import Queue

from infra.jobs.upkeep import UPKEEP as WORKS
from infra.places import Places
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.jobs.place import JobsPlace
    from infra.post import Post

QUEUE: Final = "jobs"
VISIBILITY_S: Final = 6 * 3600
"""A message that was taken and never acknowledged is given out again after this long. Nobody waits for it: what it asked
for was sent anew long before."""

TEND_S: Final = 1.0
TEND: Final = "maskwatch.tend"
PLAN: Final = "maskwatch.plan"
CHUNK: Final = "maskwatch.chunk"
FINISH: Final = "maskwatch.finish"
UPKEEP: Final = "maskwatch.upkeep"
"""Names of the tasks."""

STALE_TEND_S: Final = 5.0
"""Nobody looks after jobs for a moment that is long over."""

STALE_S: Final = 3600.0
"""What was sent so long ago has been sent again."""


class JobsApp(celery.Celery):  # type: ignore[misc] # Celery has no types
    """Celery, with a worker that knows nothing of other workers.

    Attributes:
        settings, places: of the system.
        post: of the process, where it has one already.
        place: where its tasks are done; None before it has started.
    """

    settings: Settings
    places: Places
    post: "Post | None" = None
    place: "JobsPlace | None" = None

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 Celery's name
        """The worker of `celery worker`."""
        return self.subclass_with_self("infra.jobs.worker:JobsWorker", name="Worker")


def jobs_app(settings: Settings, places: Places) -> JobsApp:
    """The application for a system's Redis; nothing is connected yet.

    Args:
        settings: of the system.
        places: of the system.
    """
    app = JobsApp("maskwatch", set_as_current=False)
    app.settings, app.places = settings, places
    app.conf.update(_configuration(settings, places))
    app.steps["worker"].add("infra.jobs.worker:Life")
    return app


def broker_url(url: str) -> str:
    """The address of a Redis as Celery wants it.

    >>> broker_url("unix:///dev/shm/mw/redis.sock")
    'redis+socket:///dev/shm/mw/redis.sock?virtual_host=0'
    >>> broker_url("redis://:secret@host:6379/2")
    'redis://:secret@host:6379/2'
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "unix":
        return url
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    number = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{login}{unquote(parts.path)}?virtual_host={number}"


def _configuration(settings: Settings, places: Places) -> Mapping[str, object]:
    from infra.embedded import redis_url

    url = settings.redis_url or redis_url(places.socket)
    secure = {"ssl_cert_reqs": "required"} if url.lower().startswith("rediss:") else None
    waits = {"socket_timeout": 5.0, "socket_connect_timeout": 2.0}
    return {
        "broker_url": broker_url(url),
        "broker_use_ssl": secure,
        "broker_transport_options": {
            **waits,
            "visibility_timeout": VISIBILITY_S,
            "global_keyprefix": f"{settings.redis_prefix}:celery:",
        },
        # A Redis that is away comes back: workers wait for it, as long as that takes.
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 2.0,
        "task_publish_retry": False,
        # No pickle, nowhere.
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "result_backend": None,
        "task_default_queue": QUEUE,
        "task_queues": (Queue(QUEUE),),
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # One task at a time in a process of its own: native libraries with threads do not survive a fork.
        "worker_pool": "solo",
        "worker_concurrency": 1,
        "worker_prefetch_multiplier": 1,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "enable_utc": True,
        # In memory: who beats anew begins anew, and nothing is pickled.
        "beat_scheduler": "infra.jobs.rounds:Rounds",
        "beat_max_loop_interval": 1.0,
        "beat_schedule": _rounds(),
    }


def _rounds() -> dict[str, dict[str, object]]:
    """What is sent again and again."""
    rounds: dict[str, dict[str, object]] = {
        "tend": {"task": TEND, "schedule": schedule(TEND_S), "options": {"expires": STALE_TEND_S}}
    }
    for work in WORKS:
        rounds[f"upkeep-{work.name}"] = {
            "task": UPKEEP,
            "schedule": schedule(work.asked_s),
            "args": (work.name,),
            "options": {"expires": work.asked_s},
        }
    return rounds
