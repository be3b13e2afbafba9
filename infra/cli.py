"""The `maskwatch` command."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import typer

from detect.quiet import quiet_native_libraries
from infra.console import complain, guarded
from infra.signals import INTERRUPTED, Ending

COMMANDS: Final = {
    "demo": "demo",
    "up": "up",
    "serve": "serve",
    "migrate": "migrate",
    "health": "health",
    "image": "image",
    "faces": "image",
    "video": "video",
    "live": "live",
    "building": "sites",
    "camera": "cameras",
    "credential": "credentials",
    "user": "users",
    "key": "keys",
    "audit": "audit",
    "job": "jobs",
    "upkeep": "upkeep",
    "train": "train",
    "evaluate": "train",
    "export": "export",
    "explain": "explain",
    "bench": "bench",
}
"""Each command, and the module below `infra.commands` that holds it."""


def application(called: str | None = None) -> typer.Typer:
    """The command line.

    Args:
        called: the one command that is called; the others are not imported then, which takes their time and memory.
    """
    app = typer.Typer(
        name="maskwatch",
        help="Mask compliance from building cameras: passages, labels, events, and how sure that is.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # With a single command, Typer would take its name for an argument.
    app.callback()(lambda: None)
    for name, module in COMMANDS.items():
        if called is None or name == called:
            command = getattr(import_module(f"infra.commands.{module}"), name)
            if isinstance(command, typer.Typer):
                app.add_typer(command, name=name)
            else:
                app.command(name)(command)
    return app


def main() -> None:
    """Entry point of the installed command."""
    _complete_streams()
    quiet_native_libraries()
    # Ended from outside is ended in order: temporary files go, and 128 plus the signal's number is the exit status.
    ending = Ending()
    try:
        status = ending.status(run(sys.argv[1:]))
    except KeyboardInterrupt:
        # Asked before the command had begun, or when it was over.
        status = ending.status(INTERRUPTED)
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one call and return its exit status: 0 done, 1 the work failed, 2 the call was wrong, 130 stopped."""

    def call() -> None:
        try:
            called = arguments[0] if arguments and arguments[0] in COMMANDS else None
            application(called)(arguments, prog_name="maskwatch")
        except SystemExit as end:
            # Typer ends every call this way; the status must not pass the guard by.
            status.append(end.code if isinstance(end.code, int) else 1)

    status: list[int] = []
    guard = guarded(call)
    ended = guard or (status[0] if status else 0)
    if ended == INTERRUPTED:
        complain("stopped")
    return ended


def _complete_streams() -> None:
    """Started with a standard stream closed, Python has none; results then go nowhere instead of raising."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 for as long as we run
