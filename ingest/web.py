"""HTTP for cameras: what FFmpeg reads comes through here, so that every address is checked before it is connected to.

FFmpeg's own client looks names up without a time limit and follows redirections and play lists anywhere.
"""

import http.client
import socket
import ssl
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ingest.connection import Allowance, Connection, TooMuchError
from ingest.login import Login
from ingest.origin import PORTS, origin
from ingest.web_body import Answer, Body, WebError
from storage.networks import NetworkError, Networks, NotAllowedError
from storage.status import StateReason

MOST_HOPS: Final = 3
"""Redirections that are followed."""

REDIRECTIONS: Final = (301, 302, 303, 307, 308)

_SAFE: Final = "/%:=&?~+!$,;'@()*[]#"


class Web:
    """One camera's web server, and where it leads to.

    Attributes:
        error: why something could not be read; FFmpeg itself only sees an end.
        allowance: what the next steps may take; nothing, before the first `grant`.
    """

    def __init__(self, url: str, networks: Networks, read_s: float) -> None:
        """Nothing is connected yet.

        Args:
            url: http or https, with user name and password where they are needed.
            networks: that it may be in, and that it may lead to.
            read_s: longest silence.
        """
        self.error: StateReason | None = None
        self._url = urlsplit(url)
        self.allowance = Allowance(read_s)
        self._networks = networks
        self._login = Login(self._url)
        # Cameras that insist on encryption redirect from one usual port to the other.
        host = self._url.hostname or ""
        usual = ("https", host, PORTS["https"])
        self._ours = {origin(self._url), *([usual] if origin(self._url) == ("http", host, PORTS["http"]) else [])}
        self._bodies: list[Body] = []

    def first(self) -> Body:
        """The camera's own address.

        Raises:
            WebError: why not.
        """
        return self._body(self.got(self._url, 0))

    def open(self, url: str, _flags: int = 0, _options: object = None) -> Body:
        """What a play list names, for FFmpeg; never fails, since an exception can't pass through there."""
        try:
            if self.error is None:
                return self._body(self.got(urlsplit(url), 0))
        except (WebError, ValueError) as error:
            self.error = error.reason if isinstance(error, WebError) else StateReason.UNSUPPORTED_CODEC
        return Body(self, None)

    def close(self) -> None:
        """Disconnect; FFmpeg does not close all that it opened."""
        for body in self._bodies:
            body.close()
        self._bodies = []

    def _body(self, answer: Answer) -> Body:
        self._bodies = [body for body in self._bodies if body.opened]
        self._bodies.append(Body(self, answer))
        return self._bodies[-1]

    def got(self, parts: SplitResult, offset: int) -> Answer:
        """What an address holds, from a byte on; redirections are followed.

        Raises:
            WebError: why not.
        """
        try:
            return self._followed(parts, offset)
        except NotAllowedError:
            raise WebError(StateReason.NOT_ALLOWED) from None
        except (NetworkError, socket.gaierror):
            raise WebError(StateReason.NO_ROUTE) from None
        except TimeoutError:
            raise WebError(StateReason.TIMEOUT) from None
        except (ConnectionError, ssl.SSLError):
            raise WebError(StateReason.REFUSED) from None
        except OSError:
            raise WebError(StateReason.NO_ROUTE) from None
        except (http.client.HTTPException, TooMuchError, ValueError):
            raise WebError(StateReason.UNSUPPORTED_CODEC) from None

    def _followed(self, parts: SplitResult, offset: int) -> Answer:
        hops = 0
        while True:
            # The password goes to no other host, and to nothing else on this one.
            ours = origin(parts) in self._ours
            answer = self._asked(parts, offset, self._login if ours else None)
            status = answer.response.status
            if status in {200, 206}:
                if offset and status != http.client.PARTIAL_CONTENT:
                    answer.connection.hang_up()
                    raise WebError(StateReason.UNSUPPORTED_CODEC)
                return answer
            told = answer.response.headers
            answer.connection.hang_up()
            if (
                status == http.client.UNAUTHORIZED
                and ours
                and self._login.challenged(told.get_all("WWW-Authenticate", []))
            ):
                continue
            if status in REDIRECTIONS and told["Location"] and hops < MOST_HOPS:
                hops += 1
                parts = urlsplit(urljoin(parts.geturl(), told["Location"]))
                continue
            raise WebError(_meaning(status))

    def _asked(self, parts: SplitResult, offset: int, login: Login | None) -> Answer:
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
        if not host or port is None:
            # A play list that names a file of this machine, or a protocol that is no camera's.
            raise WebError(StateReason.UNSUPPORTED_CODEC)
        address = self._networks.resolved(host, port, self.allowance.remaining_s())
        connection = Connection(host, port, self.allowance, tls=parts.scheme == "https")
        try:
            connection.reach(address)
            target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
            headers = {"User-Agent": "Maskwatch", "Accept": "*/*", "Connection": "close"}
            if offset:
                headers["Range"] = f"bytes={offset}-"
            authorization = None if login is None else login.answer("GET", target)
            if authorization is not None:
                headers["Authorization"] = authorization
            connection.request("GET", target, headers=headers)
            return Answer(parts, connection, connection.getresponse())
        except BaseException:
            connection.hang_up()
            raise


def _meaning(status: int) -> StateReason:
    if status in {401, 403, 407}:
        return StateReason.WRONG_PASSWORD
    return StateReason.NOT_FOUND if status in {404, 410} else StateReason.REFUSED
