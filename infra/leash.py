"""Run a command that ends when its parent does, also when the parent is killed.

`python -I -S leash.py PARENT_PID COMMAND...` asks the kernel to send SIGKILL to this process once the thread that
started it has ended, and becomes the command; the request survives that (prctl(2), PR_SET_PDEATHSIG). A program of its
own, since code between fork and exec is not safe in a process with threads; it knows the standard library alone, and
takes some 10 ms.
"""

import ctypes
import os
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
SIGKILL: Final = 9
FAILED: Final = 127
"""Exit status where the command can't be run."""


def main() -> None:
    """Entry point."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        # It ended before the request was made: nothing will come.
        sys.exit("the parent is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 this is what it is for
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
