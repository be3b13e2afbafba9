"""Who asks for the end gets it, even while native code calls Python, where exceptions are lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infra.signals import STOPPING, asked_to_stop
from tests.conftest import WriteVideo
from tests.test_cli_hostile import MASKWATCH

FINALIZING = """
import os, sys, time
from infra.signals import INTERRUPTED, Ending

class Held:
    def __del__(self):
        os.kill(os.getpid(), {number})

def holding():
    try:
        yield
    finally:
        os.kill(os.getpid(), {number})

ending = Ending()
try:
    {finalized}
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
@pytest.mark.parametrize("finalized", ["Held()", "next(holding())"])
def test_an_end_asked_for_where_it_would_be_lost_comes_after_that(number: signal.Signals, finalized: str) -> None:
    assert ended(FINALIZING.format(number=int(number), finalized=finalized)) == (128 + number, "", "")


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


def test_footage_that_gives_nothing_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = ["env", "--default-signal", MASKWATCH, "video", str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            # Who opens it to write waits for who reads.
            with pipe.open("wb"):
                process.terminate()
                process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 143


def test_a_system_whose_terminal_may_close_goes_on() -> None:
    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with asked_to_stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set()
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.is_set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
