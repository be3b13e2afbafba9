"""The `maskwatch` command."""

import sys

import typer

from detect.quiet import quiet_native_libraries
from infra.commands.bench import bench
from infra.commands.demo import demo
from infra.commands.image import faces, image
from infra.commands.train import evaluate, train
from infra.commands.video import video
from infra.console import guarded

app = typer.Typer(
    name="maskwatch",
    help="Mask compliance from building cameras: passages, labels, events, and how sure that is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, image, faces, video, train, evaluate, bench):
    app.command()(command)


def main() -> None:
    """Entry point of the installed command."""
    quiet_native_libraries()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one call and return its exit status: 0 done, 1 the work failed, 2 the call was wrong."""

    def call() -> None:
        try:
            app(arguments, prog_name="maskwatch")
        except SystemExit as end:
            # Typer ends every call this way; the status must not pass the guard by.
            status.append(end.code if isinstance(end.code, int) else 1)

    status: list[int] = []
    guard = guarded(call)
    return guard or (status[0] if status else 0)
