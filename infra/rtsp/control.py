"""Commands to a camera server as lines of JSON, and what came of each as a line of JSON."""

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from infra.rtsp.server import RtspServer
from storage.errors import MaskwatchError, UsageError

COMMANDS: Final = (
    *("freeze", "stall", "no_keyframes", "corrupt", "resume", "jump", "switch", "drop_clients"),
    *("refuse", "hang_handshake", "shout", "demand"),
    *("url", "viewers", "began_ns", "started_s", "connections"),
)
"""What may be asked for: methods of `RtspServer` and what it tells about itself."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a command.

    Attributes:
        ok: it was done.
        result: what the method gives, where it gives something.
        error: why not, where it was not done.
    """

    ok: bool
    result: Any = None
    error: str = ""


class Serving(msgspec.Struct, frozen=True):
    """The first line: everything is there.

    Attributes:
        port: where it listens.
        urls: address by name of a stream; without user and password.
    """

    port: int
    urls: Mapping[str, str]


class Command(msgspec.Struct, frozen=True):
    """What to do.

    Attributes:
        do: one of `COMMANDS`.
        arguments: by name.
    """

    do: str
    arguments: Mapping[str, Any]

    @classmethod
    def read(cls, line: bytes) -> "Command":
        """A line such as `{"do": "freeze", "name": "hall"}`.

        Raises:
            UsageError: it is something else.
        """
        try:
            given = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise UsageError(f'a command is a line like {{"do": "freeze", "name": "hall"}} ({error})') from None
        do = given.pop("do", None)
        if do not in COMMANDS:
            raise UsageError(f"{do!r} can't be done here: use one of {', '.join(COMMANDS)}")
        return cls(do, given)


def answers(server: RtspServer, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Do what lines say, one after the other; gives a line for each."""
    for line in lines:
        try:
            answer = Answer(ok=True, result=_done(server, Command.read(line)))
        except (MaskwatchError, TimeoutError) as error:
            answer = Answer(ok=False, error=str(error) or "the server's thread does not answer")
        yield msgspec.json.encode(answer) + b"\n"


def _done(server: RtspServer, command: Command) -> Any:
    asked = getattr(server, command.do)
    if not callable(asked):
        return asked
    return asked(**_checked(asked, command))


def _checked(method: Callable[..., Any], command: Command) -> dict[str, Any]:
    """Arguments of the types that a method states."""
    types = typing.get_type_hints(method)
    try:
        inspect.signature(method).bind(**command.arguments)
        return {
            name: msgspec.convert(value, types[name], dec_hook=lambda kind, text: kind(text))
            for name, value in command.arguments.items()
        }
    except (TypeError, msgspec.ValidationError) as error:
        raise UsageError(f"{command.do} can't be called like this: {error}") from None
