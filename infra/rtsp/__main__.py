"""`python -m infra.rtsp NAME=CLIP...`: cameras in a process of their own, controlled by lines of JSON on its standard input.

The first line on its standard output is `{"port": 8554, "urls": {...}}`, or `{"ok": false, "error": ...}`; every line that
follows answers a command such as `{"do": "freeze", "name": "hall"}`. It ends when its input does.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from infra.rtsp.control import Answer, Serving, answers
from infra.rtsp.server import RtspServer, Stream
from storage.errors import MaskwatchError, UsageError


def main() -> int:
    """Entry point; gives the exit status."""
    options = _options()
    try:
        password = sys.stdin.buffer.readline().decode().rstrip("\n") if options.password_stdin else None
        streams = _streams(options)
        with RtspServer(streams, port=options.port, user=options.user, password=password) as server:
            urls = {name: f"rtsp://127.0.0.1:{server.port}/{name}" for name in streams}
            _say(msgspec.json.encode(Serving(server.port, urls)) + b"\n")
            for answer in answers(server, iter(sys.stdin.buffer.readline, b"")):
                _say(answer)
    except MaskwatchError as error:
        _say(msgspec.json.encode(Answer(ok=False, error=str(error))) + b"\n")
        return error.exit_status
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # nobody listens any more
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.rtsp", description="H.264 clips as live cameras over RTSP.")
    parser.add_argument("streams", nargs="+", metavar="NAME=CLIP", help="a stream's path and what it shows")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--once", action="append", default=[], metavar="NAME", help="do not loop this one")
    parser.add_argument(
        "--start", action="append", default=[], metavar="NAME=SECONDS", help="where in its clip it begins"
    )
    parser.add_argument("--fps", action="append", default=[], metavar="NAME=FPS", help="the frame rate that it states")
    parser.add_argument("--user", help="who may watch")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from the input's first line")
    return parser.parse_intermixed_args()


def _streams(options: argparse.Namespace) -> dict[str, Stream]:
    paths = dict(_pair(text) for text in options.streams)
    starts, rates = _numbers(options.start), _numbers(options.fps)
    for name in {*starts, *rates, *options.once} - paths.keys():
        raise UsageError(f"there is no stream {name!r} here: there is {', '.join(paths)}")
    return {
        name: Stream(
            Path(path), loop=name not in options.once, start_s=starts.get(name, 0.0), stated_fps=rates.get(name)
        )
        for name, path in paths.items()
    }


def _numbers(texts: list[str]) -> dict[str, float]:
    numbers = dict[str, float]()
    for name, value in map(_pair, texts):
        try:
            numbers[name] = float(value)
        except ValueError:
            raise UsageError(f"{name}={value} holds no number") from None
    return numbers


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise UsageError(f"{text!r} is no pair: use NAME=VALUE")
    return name, value


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
