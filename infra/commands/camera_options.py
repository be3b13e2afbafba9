"""The options of `maskwatch camera add` and `change`, and what is meant by them."""

from typing import Annotated, Any, Final, cast

import msgspec
import typer

from infra.commands.registry import find_zone
from storage.camera_words import parse_hours, parse_labels, parse_number, parse_region
from storage.database.records import Building, Camera, Policy, Transport
from storage.database.sites import Sites
from storage.errors import InvalidError, NotFoundError
from storage.names import NONE, by_word
from storage.regions import Region

CameraId = Annotated[str, typer.Argument(metavar="CAMERA", help="Its identifier or name.", show_default=False)]
Where = Annotated[
    str | None, typer.Option("--building", metavar="B", help="Needed where there are several.", show_default=False)
]
ZoneOf = Annotated[str | None, typer.Option("--zone", metavar="Z", help="A zone of that building.", show_default=False)]
Substream = Annotated[
    str | None,
    typer.Option("--substream", metavar="URL", help="A smaller picture of the same view.", show_default=False),
]
TransportOption = Annotated[
    str | None, typer.Option("--transport", metavar="tcp|udp", help="Of RTSP (tcp).", show_default=False)
]
CredentialOption = Annotated[
    str | None,
    typer.Option(
        "--credential",
        metavar="NAME",
        help="User and password that cameras share, not in the address.",
        show_default=False,
    ),
]
Fps = Annotated[float | None, typer.Option("--fps", help="Samples a second (5).", show_default=False)]
RegionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="Part of the picture, as shares of it: 'watch:0.1,0.2 0.9,0.2 0.9,1' or ignore:...; repeat for several.",
        show_default=False,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels", metavar="LABELS", help="That break the policy (without_mask,incorrect_mask).", show_default=False
    ),
]
HoursOption = Annotated[
    list[str] | None,
    typer.Option(
        "--hours",
        metavar="HOURS",
        help="When passages count, by the building's clock: 'mon-fri 07:00-19:00' (always); repeat for several.",
        show_default=False,
    ),
]
Detection = Annotated[
    str | None,
    typer.Option("--detection", metavar="SHARE", help="Least score that starts a track.", show_default=False),
]
Confidence = Annotated[
    str | None, typer.Option("--confidence", metavar="SHARE", help="Least confidence for a label.", show_default=False)
]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Do not connect to it to see whether it can be reached.")]

TRANSPORTS: Final = ("tcp", "udp")


def find_camera(sites: Sites, given: str, *, archived: bool = False) -> Camera:
    """A camera by its identifier or its name; with `archived` also one that was removed.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is the identifier of one and the name of another.
    """
    # Those in use first: the name of one that was removed may be another's now.
    found = sorted(sites.cameras(archived=archived), key=lambda one: one.archived_at_ns is not None)
    if (one := by_word(found, given)) is not None:
        return one
    raise NotFoundError(f"there is no camera {given!r}: see `maskwatch camera list`")


def named_zone(sites: Sites, home: Building, given: str) -> str | None:
    """The identifier of a zone; None for `none`."""
    return None if _is_none(given) else find_zone(sites, home, given).id


def or_none(given: str) -> str | None:
    """What was given; None for `none`."""
    return None if _is_none(given) else given


def transport_of(given: str) -> Transport:
    """A transport.

    Raises:
        InvalidError: there is none of that name.
    """
    if given not in TRANSPORTS:
        raise InvalidError(f"{given[:20]!r} is no transport: write tcp or udp")
    return cast("Transport", given)


def regions_of(given: list[str]) -> tuple[Region, ...]:
    """Regions; none of them for `none`.

    Raises:
        InvalidError: one can't be read.
    """
    return () if len(given) == 1 and _is_none(given[0]) else tuple(parse_region(text) for text in given)


def changed_policy(base: Policy, labels: str | None, dwell_s: float | None, hours: list[str] | None) -> Policy:
    """A policy with what was given; hours are always for `always` or `none`.

    Raises:
        InvalidError: labels or hours can't be read.
    """
    changes: dict[str, Any] = {}
    if labels is not None:
        changes["labels"] = parse_labels(labels)
    if dwell_s is not None:
        changes["dwell_s"] = dwell_s
    if hours is not None:
        changes["hours"] = None if len(hours) == 1 and _is_none(hours[0]) else parse_hours("|".join(hours))
    return msgspec.structs.replace(base, **changes)


def threshold_of(given: str) -> float | None:
    """A share; None, which is as everywhere, for `none`.

    Raises:
        InvalidError: it is no number.
    """
    return None if _is_none(given) else parse_number(given)


def _is_none(given: str) -> bool:
    return given.strip().lower() == NONE
