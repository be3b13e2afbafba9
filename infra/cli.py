"""The `maskwatch` command."""

import sys

import typer

from infra.commands.image import faces, image
from infra.commands.video import video
from infra.console import guarded

app = typer.Typer(
    name="maskwatch",
    help="Mask compliance from building cameras: passages, labels, events, and how sure that is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (image, faces, video):
    app.command()(command)


def main() -> None:
    """Entry point: exit status 0 done, 1 the work failed, 2 the call was wrong."""
    sys.exit(guarded(app))
