"""Who asks for the end gets it, even while native code calls Python, where exceptions are lost."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import WriteVideo

FINALIZING = """
import os, sys, time
from infra.signals import INTERRUPTED, Ending

class Held:
    def __del__(self):
        os.kill(os.getpid(), {number})
        print("finalized")

ending = Ending()
try:
    Held()
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(ending.status(INTERRUPTED))
"""

READING = """
import os
from infra.cli import main

asked, lseek = [], os.lseek

def disturbed(*where):
    if not asked:
        asked.append(True)
        os.kill(os.getpid(), {number})
    return lseek(*where)

os.lseek = disturbed
main()
"""
"""The command, whose first seek in the footage, which FFmpeg calls for, is disturbed."""

ENDS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


def ended(program: str, *arguments: object, ignored: str = "") -> tuple[int, str, str]:
    """The exit status of a program, and what it said."""
    done = subprocess.run(
        # What runs in the background of a shell ignores Ctrl-C, and its children do.
        ["env", "--default-signal", *ignored.split(), sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_end_asked_for_where_it_would_be_lost_comes_after_that(number: signal.Signals) -> None:
    assert ended(FINALIZING.format(number=int(number))) == (128 + number, "finalized", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_is_ended_in_the_midst_of_reading(
    number: signal.Signals, write_video: WriteVideo, tmp_path: Path
) -> None:
    clip, report = write_video([np.full((64, 96, 3), 90, np.uint8)] * 25), tmp_path / "report" / "r.json"
    program = READING.format(number=int(number))
    assert ended(program, "video", clip, "--report", report) == (128 + number, "", "maskwatch: stopped")
    assert not report.exists()


def test_what_is_to_outlive_its_terminal_does(write_video: WriteVideo, tmp_path: Path) -> None:
    clip, report = write_video([np.full((64, 96, 3), 90, np.uint8)] * 25), tmp_path / "report" / "r.json"
    program = READING.format(number=int(signal.SIGHUP))
    status, _, told = ended(program, "video", clip, "--report", report, ignored="--ignore-signal=HUP")
    assert (status, told) == (0, "")
    assert report.exists()
