"""How a camera describes its stream: SDP (RFC 8866) with the H.264 parameters of RFC 6184, section 8.2.1."""

import base64
from typing import Final

from infra.rtsp.clip import TICKS_PER_S, Clip
from infra.rtsp.rtp import PAYLOAD_TYPE

CONTROL: Final = "track1"
"""The name of the only track below the stream's address."""


def describe(clip: Clip, *, name: str, host: str, stated_fps: float | None = None) -> bytes:
    """The session description.

    Args:
        clip: for its parameter sets.
        name: of the stream; without line breaks.
        host: the address the camera is at, IPv4 or IPv6.
        stated_fps: what it says its frame rate is; None tells the truth.
    """
    sets = ",".join(base64.b64encode(nal).decode() for nal in (clip.sps, *clip.pps))
    fps = len(clip.units) * TICKS_PER_S / clip.period if stated_fps is None else stated_fps
    family = "IP6" if ":" in host else "IP4"
    lines = (
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        f"s={name}",
        # The real address is agreed on in SETUP.
        f"c=IN {family} {'::' if family == 'IP6' else '0.0.0.0'}",  # noqa: S104
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{TICKS_PER_S}",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={clip.sps[1:4].hex().upper()};sprop-parameter-sets={sets}",
        f"a=framerate:{fps:.3f}",
        f"a=control:{CONTROL}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()
