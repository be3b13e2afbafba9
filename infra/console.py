"""What a person sees on the terminal: progress and messages on stderr, results on stdout."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from storage.errors import MaskwatchError

messages = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress and messages."""

WIDTH: Final = 120
_on_terminal = sys.stdout is not None and sys.stdout.isatty()  # None where it was closed
results = Console(highlight=False, soft_wrap=True, width=None if _on_terminal else WIDTH)
"""Results for people; machine-readable ones are written by `emit`."""


def emit(line: str) -> None:
    """Write one line of machine-readable results at once: who reads a pipe wants it now."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def printable(text: str) -> str:
    """The text with what can't be encoded replaced: file names need not be UTF-8."""
    return text.encode("utf-8", "replace").decode()


def say(text: str) -> None:
    """Tell the person something; markup characters in it are shown as they are."""
    messages.print(printable(text), markup=False)


def complain(text: str) -> None:
    """Tell the person what went wrong."""
    messages.print(printable(f"maskwatch: {text}"), style="red" if messages.is_terminal else None, markup=False)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float, float | None], None]]:
    """A progress bar on stderr, gone once the work is done; a terminal that is none shows nothing.

    Yields a function that takes what is done and, where it is known, the total, in any unit.
    """
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=messages,
        transient=True,
        disable=not messages.is_terminal,
    )
    with bar:
        task = bar.add_task(title, total=None)

        def report(done: float, total: float | None) -> None:
            bar.update(task, completed=done, total=total)

        yield report


def guarded(work: Callable[[], None]) -> int:
    """Run a command and give its exit status; what a person can mend is told in one sentence, without a trace."""
    try:
        work()
        sys.stdout.flush()
    except MaskwatchError as error:
        complain(str(error))
        return error.exit_status
    except BrokenPipeError:
        # The reader went away (`| head`): nothing to say, and Python must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        complain("not enough memory")
        return 1
    except OSError as error:
        complain(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        # Unwritten results that can't be written (a full disk) must not raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
