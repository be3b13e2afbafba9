"""One client's RTSP connection: its requests answered in order (RFC 2326, section 10)."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.rtsp.camera import Camera
from infra.rtsp.manners import Manners
from infra.rtsp.messages import REQUEST_BYTES, MalformedError, Request, read_request, reply
from infra.rtsp.sdp import CONTROL, describe
from infra.rtsp.viewer import Viewer

METHODS: Final = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN")
KNOWN_METHODS: Final = ("ANNOUNCE", "PAUSE", "RECORD", "REDIRECT", "SET_PARAMETER")
"""Methods of the protocol that a camera does not offer."""

_CHANNELS: Final = re.compile(r"interleaved=(\d{1,3})(?:-(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server bears.

    Attributes:
        clients: connections at a time; more are closed at once.
        idle_s: longest wait for the next request of a client that does not watch yet.
        unsent_bytes: a client that lets more than this pile up is disconnected.
    """

    clients: int = 256
    idle_s: float = 10.0
    unsent_bytes: int = 4 << 20


class Connection:
    """One client, from its first request to its last.

    Attributes:
        camera: what it has set up to watch.
        hanging: it waits for an answer that it does not get.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cameras: Mapping[str, Camera],
        manners: Manners,
        limits: Limits,
    ) -> None:
        """Make one.

        Args:
            reader: with a limit of `REQUEST_BYTES`.
            writer: its other half.
            cameras: by name.
            manners: of the server, who may watch among them: of that, what holds now.
            limits: of the server.
        """
        self._reader = reader
        self._writer = writer
        self._cameras = cameras
        self._manners = manners
        self._digest = manners.new_digest()
        self._limits = limits
        self._session = ""
        self._viewer: Viewer | None = None
        self._watching = False
        self.camera: Camera | None = None
        self.hanging = False

    async def run(self) -> None:
        """Answer until either side closes; errors of the connection end here."""
        answered = 0
        try:
            while not self._hangs(answered):
                async with asyncio.timeout(None if self._watching else self._limits.idle_s):
                    request = await read_request(self._reader)
                if request is None:
                    return
                if self._hangs(answered):
                    break
                if self._manners.shouting and not self._watching:
                    await self._manners.shout(self._writer, request)
                    return
                self._answer(request)
                answered += 1
                async with asyncio.timeout(self._limits.idle_s):
                    await self._writer.drain()
            self.hanging = True
            while await self._reader.read(REQUEST_BYTES):
                pass
        except MalformedError as error:
            self._write(reply(error.status, None, {"Connection": "close"}))
        except (OSError, EOFError):
            pass  # it timed out or vanished
        finally:
            self._release()
            self._writer.close()
            if self._writer.transport.get_write_buffer_size():
                # Closing would wait for a client that may never read.
                self._writer.transport.abort()

    def drop(self) -> None:
        """Disconnect the client, as a pulled cable would."""
        self._writer.transport.abort()

    def _hangs(self, answered: int) -> bool:
        limit = self._manners.answered
        return limit is not None and answered >= limit and not self._watching

    def _write(self, data: bytes) -> None:
        if self._viewer is None or not self._viewer.over:
            self._writer.write(data)

    def _release(self) -> None:
        if self.camera is not None and self._viewer is not None:
            self.camera.leave(self._viewer)
        self.camera, self._session, self._watching = None, "", False

    def _answer(self, request: Request) -> None:
        match request.method:
            case "OPTIONS":
                self._write(reply(200, request, {"Public": ", ".join(METHODS)}))
            case method if method not in METHODS:
                self._refuse(405 if method in KNOWN_METHODS else 501, request)
            case _ if not self._admitted(request):
                pass
            case "DESCRIBE":
                self._describe(request)
            case "SETUP":
                self._set_up(request)
            case _ if not self._session or request.headers.get("session", "").partition(";")[0] != self._session:
                # Without a session there is nothing to keep alive, but clients ask before they have one, too.
                self._refuse(200 if request.method == "GET_PARAMETER" and not self._session else 454, request)
            case "PLAY":
                self._play(request)
            case "GET_PARAMETER":
                self._write(reply(200, request, {"Session": self._session}))
            case _:
                self._write(reply(200, request))
                self._release()

    def _refuse(self, status: int, request: Request) -> None:
        self._write(reply(status, request, {"Allow": ", ".join(METHODS)} if status == 405 else None))

    def _admitted(self, request: Request) -> bool:
        digest = self._digest
        if digest is None or digest.admits(request.headers.get("authorization"), request.method, request.uri):
            return True
        self._write(reply(401, request, {"WWW-Authenticate": digest.challenge()}))
        return False

    def _named(self, request: Request) -> tuple[str, Camera] | None:
        name = request.path.removesuffix(f"/{CONTROL}")
        camera = self._cameras.get(name)
        return None if camera is None or camera.gone else (name, camera)

    def _describe(self, request: Request) -> None:
        named = self._named(request)
        if named is None:
            self._refuse(404, request)
            return
        host = str(self._writer.get_extra_info("sockname")[0])
        headers = {"Content-Base": f"{request.address}/", "Content-Type": "application/sdp"}
        name, camera = named
        body = describe(camera.tape.clip, name=name, host=host, stated_fps=camera.stated_fps)
        self._write(reply(200, request, headers, body))

    def _set_up(self, request: Request) -> None:
        named = self._named(request)
        channels = _channels(request.headers.get("transport", ""))
        if named is None:
            self._refuse(404, request)
        elif channels is None:
            self._refuse(461, request)
        elif self._watching or (self.camera is not None and self.camera is not named[1]):
            self._refuse(455, request)
        else:
            self.camera = named[1]
            self._session = self._session or secrets.token_hex(8)
            self._viewer = Viewer(self._writer.transport, channels, self._limits.unsent_bytes)
            transport = f"RTP/AVP/TCP;unicast;interleaved={channels[0]}-{channels[1]}"
            self._write(reply(200, request, {"Transport": transport, "Session": f"{self._session};timeout=60"}))

    def _play(self, request: Request) -> None:
        if self.camera is None or self._viewer is None:
            self._refuse(455, request)
            return
        headers = {"Session": self._session, "Range": "npt=now-"}
        first = self.camera.first_timestamp()
        if first is not None and not self._watching:
            headers["RTP-Info"] = f"url={request.address}/{CONTROL};rtptime={first}"
        # The reply goes out before the first packet.
        self._write(reply(200, request, headers))
        if not self._watching:
            self._watching = True
            self.camera.join(self._viewer)


def _channels(transport: str) -> tuple[int, int] | None:
    """Channels for RTP and RTCP of the first interleaved transport that a client offers; None where there is none."""
    for offer in transport.split(","):
        parts = [part.strip() for part in offer.split(";")]
        if parts[0].upper() != "RTP/AVP/TCP" or "multicast" in parts:
            continue
        for part in parts[1:]:
            if found := _CHANNELS.fullmatch(part):
                rtp = int(found[1])
                rtcp = int(found[2]) if found[2] else rtp + 1
                return (rtp, rtcp) if max(rtp, rtcp) <= 255 and rtp != rtcp else None
        return 0, 1
    return None
