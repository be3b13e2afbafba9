"""Keeps the chatter of native libraries off the terminal."""

import os
import sys
from contextlib import suppress


def quiet_native_libraries() -> None:
    """Send what native libraries write past Python's `sys.stderr` to nowhere, for the rest of the process.

    MediaPipe and LiteRT log to file descriptor 2 at start-up and at odd moments after, and no setting stops it. Python's
    own messages go on to where descriptor 2 led. For entry points only; it changes the whole process.
    """
    # Without a standard error there is nothing to keep clean.
    with suppress(OSError):
        sys.stderr.flush()
        own = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        sys.stderr = os.fdopen(own, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
