"""`maskwatch camera test --watch`: whether a camera is placed well enough, by what passes it for a while."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.shapes.suitability import Tested
from infra.commands.registry import tell_facts
from infra.console import complain, emit, messages, progress_bar, results, say
from infra.live.target import Kind, Target
from infra.places import Places
from infra.settings import Settings, load_settings
from infra.signals import asked_to_stop
from ingest.sources import open_source
from storage.database.records import Camera, Transport
from storage.errors import UsageError
from storage.files import write_bytes
from storage.networks import Networks
from storage.suitability import Spread, Suitability

if TYPE_CHECKING:
    from infra.placing import Placing

SHORTEST_S: Final = 1
LONGEST_S: Final = 24 * 3600
UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
TELL_S: Final = 30.0
"""Where there is no bar to be drawn, progress is said this often."""


def duration_s(text: str) -> float:
    """What is meant by `90s`, `10m`, `1h` or a number of seconds.

    >>> duration_s("10m")
    600.0

    Raises:
        UsageError: none of them, or out of range.
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smh]?)", text.strip().lower(), re.ASCII)
    seconds = 0.0 if found is None else float(found[1]) * UNITS[found[2]]
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise UsageError(f"--watch {text}: say for how long, such as 90s, 10m or 1h, from 1 s to 24 h")
    return seconds


def watch_camera(
    known: Camera | None, url: str, shown: str, *, transport: Transport, watch_s: float, still: Path | None, json: bool
) -> bool:
    """Watch, tell how well faces are seen, and write the still.

    Args:
        known: the camera, where it is registered: its regions, smallest face and thresholds count.
        url: its address, allowed.
        shown: the same without a password.
        transport: of RTSP.
        watch_s: for how long.
        still: file for the picture, or None.
        json: print machine-readable results only.

    Returns:
        Whether it could be reached.

    Raises:
        MaskwatchError: a model is missing, or the address will never show anything.
    """
    # These take their time to import, and every other command would wait for them.
    from infra.models import open_face_classifier, open_looker
    from infra.placing import Placing, Terms

    if known is not None and known.trouble is not None:
        complain(known.trouble)
        return False
    settings = load_settings() if known is None else load_settings(fps=known.analyze_fps, min_face_px=known.min_face_px)
    terms = Terms(settings.fps, settings.min_face_px)
    if known is not None:
        terms = Terms(settings.fps, settings.min_face_px, known.regions, known.thresholds)
    target = _target(url, shown, transport, settings)
    with closing(open_looker(settings)) as looker, asked_to_stop() as stop:
        placing = Placing(target, looker, open_face_classifier(settings).classifier, terms)
        say(f"watching {shown} for {_clock(watch_s)}; let people walk past as they usually do. Ctrl-C ends it early")
        with _progress(placing, watch_s) as report:
            unreachable = placing.watch(watch_s, report, stop.is_set)
    if unreachable is not None:
        reason = f" ({unreachable.reason.value})" if unreachable.reason is not None else ""
        complain(f"{unreachable.detail or f'{shown} shows no picture'}{reason}")
        return False
    found, jpeg = placing.found(), None if still is None else placing.still()
    if json:
        emit(Tested.by(found, None if known is None else known.id, shown, placing.seconds).model_dump_json())
    else:
        _tell(found, shown, placing.seconds)
    if still is not None and jpeg is not None:
        write_bytes(still, jpeg)
        say(f"the view, with the size that faces must have, is in {still}")
    return True


def _target(url: str, shown: str, transport: Transport, settings: Settings) -> Target:
    media, networks, begun_ns = Places.of(settings).media, Networks.parse(settings.camera_networks), time.time_ns()
    return Target(
        Kind.ADDRESS,
        shown,
        None,
        lambda fps: open_source(
            url,
            fps=fps,
            transport=transport,
            media_root=media,
            networks=networks,
            playing_since_ns=begun_ns,
            begun_ns=begun_ns,
        ),
    )


@contextmanager
def _progress(placing: "Placing", watch_s: float) -> Iterator[Callable[[float], None]]:
    with progress_bar("watching") as bar:
        said_s = 0.0

        def report(seconds: float) -> None:
            nonlocal said_s
            bar(min(seconds, watch_s), watch_s)
            if not messages.is_terminal and seconds - said_s >= TELL_S:
                said_s = seconds
                seen = placing.tally
                say(f"{_clock(seconds)} of {_clock(watch_s)}: {seen.faces} faces of {seen.passages} passages so far")

        yield report


def _tell(found: Suitability, shown: str, seconds: float) -> None:
    results.print(f"{shown}: {found.verdict.value.replace('_', ' ')}", markup=False)
    for sentence in found.sentences:
        results.print(f"  - {sentence}", markup=False)
    tell_facts(
        ("watched", _clock(seconds)),
        ("seen", f"{found.faces} faces of {found.passages} passages"),
        ("needed", f"{found.needed_px} px; from {found.comfortable_px} px on faces are seldom missed"),
        ("face size", _shown(found.widths, "px", 0)),
        ("at their largest", _shown(found.largest, "px", 0)),
        ("sharpness", _shown(found.sharpness, "", 2)),
        ("brightness", _shown(found.brightness, "", 2)),
        ("turned", _shown(found.turn, "", 2)),
        ("unknown passages", _reasons(found.unknown)),
        ("faces not judged", _reasons(found.unjudged)),
    )


def _shown(spread: Spread | None, unit: str, digits: int) -> str:
    if spread is None:
        return ""
    low, middle, high = (f"{value:.{digits}f}" for value in (spread.p10, spread.p50, spread.p90))
    return f"{middle} {unit} (a tenth below {low}, a tenth above {high})".replace("  ", " ")


def _reasons(shares: dict[str, float]) -> str:
    return ", ".join(f"{reason.replace('_', ' ')} {share:.0%}" for reason, share in shares.items())


def _clock(seconds: float) -> str:
    """A duration for people.

    >>> _clock(600), _clock(45), _clock(5400)
    ('10:00 min', '45 s', '1:30 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
