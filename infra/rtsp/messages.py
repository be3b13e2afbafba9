"""RTSP requests as they come in, and replies as they go out (RFC 2326)."""

import asyncio
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

REQUEST_BYTES: Final = 64 * 1024
"""Longest header, and longest body, of a request."""

REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
    505: "RTSP Version not supported",
}

_LINE: Final = re.compile(r"([A-Z_]{1,32}) ([\x21-\x7e]{1,2048}) RTSP/(\d\.\d)")
_NAME: Final = re.compile(r"[\w-]{1,64}")
_SEQUENCE: Final = re.compile(r"\d{1,10}")


class MalformedError(Exception):
    """A request after which the connection can't go on.

    Attributes:
        status: what to answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(REASONS[status])
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: in capitals.
        uri: as sent; printable ASCII without spaces.
        headers: by name in small letters; of repeated ones the last.
    """

    method: str
    uri: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """Path of the address, decoded, without the slashes at its ends; "" where the address is none."""
        try:
            return unquote(urlsplit(self.uri).path).strip("/")
        except ValueError:
            return ""

    @property
    def address(self) -> str:
        """The address without user, password and what follows the path."""
        try:
            parts = urlsplit(self.uri)
        except ValueError:
            return ""
        return f"rtsp://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Wait for the next request; packets that the client interleaves (its receiver reports) are passed over.

    Args:
        reader: with a limit of `REQUEST_BYTES`.

    Returns:
        None where the client closed the connection between two requests.

    Raises:
        MalformedError: not RTSP, or too long.
        IncompleteReadError: closed within a request.
    """
    while first := await reader.read(1):
        if first == b"$":
            _, length = struct.unpack(">BH", await reader.readexactly(3))
            await reader.readexactly(length)
        elif first not in b"\r\n":
            try:
                head = first + await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                raise MalformedError(413) from None
            request = _parsed(head)
            await _skip_body(reader, request)
            return request
    return None


def reply(status: int, request: Request | None, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """A reply, ready to be sent.

    Args:
        status: one of `REASONS`.
        request: the one that is answered; None where it could not be read.
        headers: values without line breaks.
        body: `Content-Length` is added where there is one.
    """
    lines = [f"RTSP/1.0 {status} {REASONS[status]}"]
    if request is not None:
        lines.append(f"CSeq: {request.headers['cseq']}")
    lines.append("Server: maskwatch")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


def _parsed(head: bytes) -> Request:
    lines = head.decode("utf-8", "replace").split("\r\n")
    line = _LINE.fullmatch(lines[0])
    if line is None:
        raise MalformedError(400)
    method, uri, version = line.groups()
    if version != "1.0":
        raise MalformedError(505)
    headers: dict[str, str] = {}
    for text in lines[1:-2]:
        name, colon, value = text.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise MalformedError(400)
        headers[name.lower()] = value.strip()
    if not _SEQUENCE.fullmatch(headers.get("cseq", "")):
        raise MalformedError(400)
    return Request(method, uri, headers)


async def _skip_body(reader: asyncio.StreamReader, request: Request) -> None:
    length = request.headers.get("content-length", "0")
    if not _SEQUENCE.fullmatch(length):
        raise MalformedError(400)
    if int(length) > REQUEST_BYTES:
        raise MalformedError(413)
    await reader.readexactly(int(length))
