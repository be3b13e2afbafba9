"""Errors that a person caused or can mend.

Each carries one sentence that says what happened, to what, and what to do next. The command line prints it and
ends with `exit_status`; it never prints a stack trace for one of these.
"""


class MaskwatchError(Exception):
    """Base of all errors with a message meant for a person."""

    exit_status = 1


class InputError(MaskwatchError):
    """Something given to the system (a picture, footage, a model, a folder) can't be used."""


class StorageError(MaskwatchError):
    """Something could not be written: a full disk, a folder without write permission."""


class SetupError(MaskwatchError):
    """A part of the installation is missing: a model file, a library, an optional package."""


class UsageError(MaskwatchError):
    """The call itself was wrong: an option out of range, options that exclude each other."""

    exit_status = 2


class NotFoundError(MaskwatchError):
    """What was asked for by its identifier does not exist."""


class ConflictError(MaskwatchError):
    """What was asked for does not go with what is there: a name in use, a building that still has cameras."""


class InvalidError(MaskwatchError):
    """A value that can't be accepted: an address of an unknown kind, a time zone that does not exist."""

    exit_status = 2


class NotAllowedError(MaskwatchError):
    """Somebody may not do this: their role or their buildings do not reach so far."""
