"""What a camera's samples are judged by, as it is registered, and what its connection depends on."""

from dataclasses import dataclass

from ingest.emit import Terms
from ingest.options import Options
from storage.database.records import Camera
from storage.messages import NS_PER_S, nanoseconds


@dataclass(frozen=True, slots=True)
class EpochRules:
    """What an epoch begins with.

    Attributes:
        dwell_ns: how long a breach must last to become an event.
        sample_ns: time between two samples.
        min_face_px: smallest face that is judged.
        terms: all else.
    """

    dwell_ns: int
    sample_ns: int
    min_face_px: int
    terms: Terms


def rules_of(camera: Camera, options: Options) -> EpochRules:
    """A camera's rules; where two are the same, one epoch serves both."""
    dwell_s = camera.policy.dwell_s if options.dwell_s is None else options.dwell_s
    return EpochRules(
        nanoseconds(dwell_s),
        round(NS_PER_S / camera.analyze_fps),
        camera.min_face_px if options.min_face_px is None else options.min_face_px,
        Terms(camera.policy.labels, camera.thresholds.detection, camera.thresholds.confidence, camera.regions),
    )


def same_connection(one: Camera, other: Camera) -> bool:
    """Whether a connection to one serves the other: same address, with its password, and sampled alike.

    Another sub-stream takes no new connection to the main stream.
    """
    return (one.url, one.transport, one.analyze_fps) == (other.url, other.transport, other.analyze_fps)
