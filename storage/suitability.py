"""Whether a camera is placed well enough, in words, from what its faces looked like.

What decides is how people who passed came out, each at their best: whoever walks up to a camera is small at first, and that
is no fault. Only where too few passages were seen do single faces speak for them.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from storage.face_tally import Tally, share_quantile, width_quantile
from storage.words import UnknownReason

LEAST_FACES: Final = 30
"""Six seconds of sight at five looks a second: below, chance speaks."""

LEAST_PASSAGES: Final = 3
"""Of a single person who happened to look down nothing can be said about the camera; so the person who sets it up walks
past three times."""

FACES_FOR_PASSAGES: Final = 150
"""So many faces will do without passages: where people queue, or none is ever gone."""

GOOD_UNKNOWN: Final = 0.15
"""Of the demo's passages, and of real footage of people who look towards the camera, fewer than this stay unknown."""

UNSUITABLE_UNKNOWN: Final = 0.5
"""Where half of the people can't be judged, the others are no fair sample of all."""

SPEAKS_FROM: Final = 0.1
"""A reason that concerns fewer passages than this is none to climb a ladder for."""

COMFORTABLE: Final = 40 / 24
"""From here on, in smallest faces, one look finds seven of eight; from the smallest size on three of four
(see `docs/accuracy.md`)."""

SEEN_FROM: Final = 0.5
"""Finds below this, in smallest faces, are left out (`classify.faces`): smaller faces are in no figure here."""

RANGE: Final = (0.1, 0.9)
"""What is called the range of sizes."""


class Verdict(StrEnum):
    """How well a camera is placed."""

    GOOD = "good"
    LIMITED = "limited"
    UNSUITABLE = "unsuitable"
    TOO_LITTLE_SEEN = "too_little_seen"


class Spread(msgspec.Struct, frozen=True):
    """Three quantiles of something: a tenth lies below `p10`, half below `p50`, nine tenths below `p90`."""

    p10: float
    p50: float
    p90: float


class Suitability(msgspec.Struct, frozen=True):
    """How well a camera sees faces.

    Attributes:
        verdict: in a word.
        sentences: what is wrong and what to do, weightiest first; then what to know about the figures.
        zoom: by which the picture of a face has to grow for all but the smallest tenth of the passages; None where none
            is needed, or nothing is known.
        needed_px: longer side of the smallest face that is judged.
        comfortable_px: longer side from which faces are seldom missed.
        samples, faces, passages: that it rests on.
        widths: of faces: longer side in pixels.
        largest: of each passage's largest face.
        sharpness, brightness, turn: of faces, in [0, 1].
        unknown: share of the passages without a label, by reason.
        unjudged: share of the faces that can't be judged by themselves, by reason.
    """

    verdict: Verdict
    sentences: tuple[str, ...]
    zoom: float | None
    needed_px: int
    comfortable_px: int
    samples: int
    faces: int
    passages: int
    widths: Spread | None
    largest: Spread | None
    sharpness: Spread | None
    brightness: Spread | None
    turn: Spread | None
    unknown: dict[str, float]
    unjudged: dict[str, float]


def judged(tally: Tally, min_face_px: int) -> Suitability:
    """Say how well a camera is placed.

    Args:
        tally: what was seen.
        min_face_px: smallest face that is judged, longer side.
    """
    by_passages = tally.passages >= LEAST_PASSAGES
    enough = tally.faces >= LEAST_FACES and (by_passages or tally.faces >= FACES_FOR_PASSAGES)
    counts, total = (tally.unknown, tally.passages) if by_passages else (tally.reasons, tally.faces)
    shares = {reason: count / total for reason, count in sorted(counts.items()) if total}
    sizes = tally.largest if by_passages else tally.widths
    comfortable_px = round(COMFORTABLE * min_face_px)
    low, middle = width_quantile(sizes, RANGE[0]), width_quantile(sizes, 0.5)
    zoom = None if low is None or low >= min_face_px - 0.5 else round(min_face_px / low, 1)
    if not enough:
        verdict = Verdict.TOO_LITTLE_SEEN
        sentences = [_too_little(tally), *_unseen(tally, min_face_px, low)]
    else:
        verdict = _verdict(sum(shares.values()), middle, min_face_px, comfortable_px)
        sentences = [*_troubles(shares, "people" if by_passages else "faces", sizes, min_face_px)]
        small = shares.get(UnknownReason.TOO_SMALL, 0.0) >= SPEAKS_FROM
        if verdict is Verdict.LIMITED and not small and middle is not None and middle < comfortable_px:
            sentences.append(
                f"faces are {_range(sizes)} px: enough to be judged, yet one look in four misses them; from {comfortable_px} px "
                f"on it is one in eight: zoom in by {max(1.1, comfortable_px / middle):.1f}, if nobody is cut off by it"
            )
        sentences += _unseen(tally, min_face_px, low)
        if verdict is Verdict.GOOD:
            sentences.insert(0, f"faces are {_range(sizes)} px, and {_percent(1 - sum(shares.values()))} are judged")
    return Suitability(
        verdict=verdict,
        sentences=tuple(sentences),
        zoom=zoom if enough else None,
        needed_px=min_face_px,
        comfortable_px=comfortable_px,
        samples=tally.samples,
        faces=tally.faces,
        passages=tally.passages,
        widths=_spread(tally.widths, width_quantile, 0),
        largest=_spread(tally.largest, width_quantile, 0),
        sharpness=_spread(tally.sharpness, share_quantile, 2),
        brightness=_spread(tally.brightness, share_quantile, 2),
        turn=_spread(tally.turn, share_quantile, 2),
        unknown=_shares(tally.unknown, tally.passages),
        unjudged=_shares(tally.reasons, tally.faces),
    )


def _verdict(unknown: float, middle: float | None, min_face_px: int, comfortable_px: int) -> Verdict:
    if unknown > UNSUITABLE_UNKNOWN or (middle is not None and middle < min_face_px - 0.5):
        return Verdict.UNSUITABLE
    if unknown > GOOD_UNKNOWN or (middle is not None and middle < comfortable_px - 1):
        return Verdict.LIMITED
    return Verdict.GOOD


def _troubles(shares: dict[str, float], who: str, sizes: list[int], min_face_px: int) -> list[str]:
    """What is wrong, weightiest first, each with what to do."""
    found = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    sentences = []
    for reason, share in found:
        if share < SPEAKS_FROM:
            continue
        if reason == UnknownReason.TOO_SMALL:
            sentences.append(_too_small(sizes, min_face_px, f"{_percent(share)} of the {who}"))
        else:
            what = _ADVICE.get(reason, "are unknown for a reason that this version does not know")
            sentences.append(f"{_percent(share)} of the {who} {what}")
    if UnknownReason.TOO_SMALL not in shares and (low := width_quantile(sizes, 0.5)) and low < min_face_px - 0.5:
        sentences.append(_too_small(sizes, min_face_px, "most"))
    return sentences


_ADVICE: Final[dict[str, str]] = {
    UnknownReason.BLURRED: "are blurred: choose a shorter exposure or more light, and see whether the lens is in focus and "
    "clean",
    UnknownReason.TURNED_AWAY: "are turned away: mount the camera so that people walk towards it, near the height of their "
    "heads",
    UnknownReason.TOO_DARK: "are too dark: give more light on faces, switch on backlight compensation, or move the camera so "
    "that no window is behind people",
    UnknownReason.OCCLUDED: "are covered by something: move the camera, or what stands in between",
    UnknownReason.TOO_SHORT: "are in view for less than a second: look along their way, not across it, or analyse more frames "
    "a second",
    UnknownReason.DISAGREEMENT: "are seen well enough, and still their faces do not agree: look at some of these passages; "
    "light from the front and a view from no more than 20 degrees above help",
}
"""What follows "a third of the people", by reason."""


def _too_small(sizes: list[int], min_face_px: int, who: str) -> str:
    low, middle = (width_quantile(sizes, share) or float(min_face_px) for share in (RANGE[0], 0.5))
    if low < min_face_px - 0.5:
        zoom = f"zoom in by {min_face_px / low:.1f}, or mount the camera nearer"
        return f"faces are {_range(sizes)} px; {min_face_px} are needed: {zoom}"
    zoom = f"zoom in by {max(1.1, COMFORTABLE * min_face_px / middle):.1f}, if nobody is cut off by it"
    return f"{who} are too small: faces are {_range(sizes)} px, and {min_face_px} are the least: {zoom}"


def _too_little(tally: Tally) -> str:
    seen = f"{_counted(tally.faces, 'face')} of {_counted(tally.passages, 'passage')}"
    return (
        f"only {seen} {'was' if tally.faces == 1 else 'were'} seen, too little to judge by: let somebody walk past "
        f"{LEAST_PASSAGES} times, where people usually do, and watch meanwhile"
    )


def _unseen(tally: Tally, min_face_px: int, low: float | None) -> list[str]:
    """What these figures can't show."""
    least_px = round(SEEN_FROM * min_face_px)
    sentences = []
    if tally.unsure >= max(LEAST_FACES, tally.faces / 2):
        sentences.append(
            f"{_counted(tally.unsure, 'find')} of less than {min_face_px} px came to no passage: they may be faces that are too "
            "small to be sure of, or patterns; look at the still picture"
        )
    elif not tally.faces and tally.looked >= LEAST_FACES:
        sentences.append(
            f"something was looked at {tally.looked} times, and no face was found: faces below {least_px} px are not seen at "
            "all, nor are backs of heads"
        )
    if low is not None and low < min_face_px - 0.5:
        sentences.append(
            f"there may be more faces, and smaller ones, than these figures show: below {least_px} px none is seen, and from "
            f"{least_px} to {min_face_px} px one look finds fewer than half"
        )
    return sentences


def _range(sizes: list[int]) -> str:
    low, high = (width_quantile(sizes, share) for share in RANGE)
    if low is None or high is None:
        return "of unknown size, in"
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f}-{high:.0f}"


def _spread(counts: list[int], quantile: Callable[[list[int], float], float | None], digits: int) -> Spread | None:
    found = [quantile(counts, share) for share in (RANGE[0], 0.5, RANGE[1])]
    values = [round(value, digits) for value in found if value is not None]
    return Spread(*values) if values else None


def _shares(counts: dict[str, int], total: int) -> dict[str, float]:
    return {reason: round(count / total, 4) for reason, count in sorted(counts.items()) if total}


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
