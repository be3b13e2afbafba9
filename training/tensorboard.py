"""Curves of a training for TensorBoard: `tensorboard --logdir OUT/tensorboard`."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from storage.errors import StorageError
from storage.files import make_folder, storage_error


class Scalars:
    """Writes named numbers over steps as TensorBoard event files; a run that goes on adds a file of its own.

    Where TensorBoard is not installed nothing is written; `missing` then says so in a sentence.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open a new event file.

        Args:
            folder: for event files; None writes nothing.

        Raises:
            StorageError: the folder can't be written.
        """
        self._folder, self.missing = folder, ""
        self._writer: Any = None
        if folder is None:
            return
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            self.missing = f"no TensorBoard files are written, since it is not installed ({error})"
            return
        make_folder(folder)
        try:
            self._writer = EventFileWriter(str(folder))
        except OSError as error:
            raise storage_error(folder, error) from error

    def add(self, step: int, **values: float) -> None:
        """Note values at a step; a double underscore in a name groups them (`loss__train`).

        Raises:
            StorageError: the disk is full.
        """
        if self._writer is None:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        named = [Summary.Value(tag=name.replace("__", "/"), simple_value=value) for name, value in values.items()]
        self._guarded(self._writer.add_event, Event(wall_time=time.time(), step=step, summary=Summary(value=named)))

    def flush(self) -> None:
        """Bring what was noted to the disk."""
        if self._writer is not None:
            self._guarded(self._writer.flush)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._guarded(self._writer.close)
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except StorageError:
            # What ended the work is told, not that its curves could not be kept either.
            if error is None:
                raise

    def _guarded(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except OSError as error:
            self._writer = None
            raise storage_error(self._folder or Path(), error) from error
