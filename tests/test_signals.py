"""Who asks for the end gets it, even while native code calls Python, where exceptions are lost."""

import signal
import subprocess
import sys

import pytest

CALLED_BACK = """
import ctypes, os, sys, time
from infra.signals import Ending

ending = Ending()

@ctypes.CFUNCTYPE(None)
def called_back():
    os.kill(os.getpid(), {number})
    time.sleep(1)

called_back()
"""


def ended(number: signal.Signals, then: str) -> tuple[int, str]:
    """The exit status and what was said of a process that is asked to end within a callback of native code."""
    done = subprocess.run(
        # What runs in the background of a shell ignores Ctrl-C, and its children do.
        ["env", "--default-signal", sys.executable, "-c", CALLED_BACK.format(number=int(number)) + then],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_end_lost_in_native_code_comes_after_it(number: signal.Signals) -> None:
    then = "try:\n    time.sleep(10)\nexcept KeyboardInterrupt:\n    sys.exit(130)\n"
    assert ended(number, then) == (128 + number, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_lost_in_the_last_native_call_is_the_exit_status(number: signal.Signals) -> None:
    assert ended(number, "sys.exit(ending.status() or 0)\n") == (128 + number, "")


def test_other_lost_errors_are_still_told() -> None:
    then = "\n@ctypes.CFUNCTYPE(None)\ndef broken():\n    raise ValueError('told')\nbroken()\n"
    status, told = ended(signal.SIGCONT, then)
    assert status == 0
    assert "ValueError: told" in told
