"""Footage that was sent to us: a row for each file in the upload folder."""

import secrets
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.job_new import check_file_name, owns
from storage.database.models import UploadRow
from storage.database.scoped import Scoped
from storage.errors import ConflictError, NotFoundError


class Upload(msgspec.Struct, frozen=True):
    """A file that was sent.

    Attributes:
        id: also its name in the upload folder.
        name: what its sender calls it.
        bytes, sha256: its size, and its hash in hex.
        created_at_ns: Unix time; of one whose job has failed, when that was.
        job_id: the job that reads it; None: none yet, or one that has failed.
    """

    id: str
    name: str
    bytes: int
    sha256: str
    created_at_ns: int
    job_id: str | None = None


class Uploads(Scoped):
    """Uploads of the caller's own; those who see everything see all.

    Every method raises StorageError when the database can't be used; nothing is changed then.
    """

    def add(self, upload: Upload) -> Upload:
        """Take in a file that is in the upload folder already; `new_upload_id` makes its identifier.

        Raises:
            InvalidError: a name with characters that can't be kept, or too long.
        """
        check_file_name(upload.name)
        row = msgspec.structs.asdict(upload) | {"created_by_id": self._caller.id}
        with writing(self._engine) as connection:
            connection.execute(insert(UploadRow).values(row))
            about = {"name": upload.name, "bytes": upload.bytes, "sha256": upload.sha256}
            note(connection, self._caller, "upload.added", ("upload", upload.id), None, **about)
        return upload

    def get(self, upload_id: str) -> Upload:
        """An upload.

        Raises:
            NotFoundError: there is none.
        """
        with reading(self._engine) as connection:
            return self._record(self._own(connection, upload_id))

    def remove(self, upload_id: str) -> Upload:
        """Forget one; then remove its file.

        Raises:
            NotFoundError: there is none.
            ConflictError: a job reads it.
        """
        with writing(self._engine) as connection:
            row = self._own(connection, upload_id, lock=True)
            if row.job_id is not None:
                raise ConflictError(f"upload {upload_id} is read by job {row.job_id}: cancel that job first")
            connection.execute(delete(UploadRow).where(UploadRow.id == upload_id))
            note(connection, self._caller, "upload.removed", ("upload", upload_id), None, name=row.name)
        return self._record(row)

    def _own(self, connection: Connection, upload_id: str, *, lock: bool = False) -> Row[Any]:
        """The row of an upload of the caller's; NotFoundError if there is none."""
        query = select(UploadRow.__table__).where(UploadRow.id == upload_id)
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None or not owns(self._caller, row.created_by_id):
            raise NotFoundError(f"there is no upload {upload_id!r}: send the file first")
        return row

    @staticmethod
    def _record(row: Row[Any]) -> Upload:
        return Upload(row.id, row.name, row.bytes, row.sha256, row.created_at_ns, row.job_id)


def new_upload_id() -> str:
    """An identifier for a file that is about to be received: `u-` and 20 random hex digits."""
    return f"u-{secrets.token_hex(10)}"
