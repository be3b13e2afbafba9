"""Secrets that are kept: encrypted with a key that is not where they are.

Fernet (AES-128-CBC with HMAC-SHA-256, `cryptography`). Several keys make a rotation: the first encrypts, all decrypt.
"""

import base64
import os
import re
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from storage.errors import SetupError
from storage.files import make_folder, storage_error

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

SEALED: Final = "enc1:"
"""How everything that is encrypted begins."""

_MAKE_ONE: Final = "make one with `openssl rand -base64 32`"


class Secrets:
    """Encrypts and decrypts. Safe for threads; nothing is read or made before it is needed.

    >>> secrets = Secrets(keys="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    >>> secrets.open(secrets.seal("secret"))
    'secret'
    """

    def __init__(self, file: Path | None = None, keys: str | None = None) -> None:
        """Begin.

        Args:
            file: holds the key, and is made when the first secret is kept, for this user alone; None: there is none.
            keys: instead of it (MASKWATCH_SECRET_KEY), separated by commas, the newest first; what only the file's key
                opens is still read.
        """
        self._file = file
        self._given = keys
        self._lock = threading.Lock()
        self._keys: tuple[Fernet, ...] = ()

    def __repr__(self) -> str:
        return f"Secrets({self._file}, keys={'***' if self._given else None})"

    def seal(self, secret: str, *, make: bool = True) -> str:
        """Encrypt; the same secret differs every time. Its length in ASCII is about 4/3 of the secret's in bytes, plus 100.

        Args:
            secret: what nobody is to read.
            make: whether a key may be made where there is none. Not where others have one: they could not read it.

        Raises:
            SetupError: there is no key, or it is none.
            StorageError: the key's file can't be made.
        """
        return f"{SEALED}{self._current(make=make)[0].encrypt(secret.encode()).decode()}"

    def open(self, sealed: str) -> str:
        """Decrypt.

        Raises:
            SetupError: the key is missing, or is another than it was encrypted with.
        """
        from cryptography.fernet import InvalidToken

        for again in (False, True):
            for key in self._current(again=again):
                with suppress(InvalidToken):
                    return key.decrypt(sealed.removeprefix(SEALED)).decode()
        raise SetupError(
            f"a password was kept with another key than that of {self._where()}: put that key back, or give the password again"
        )

    def is_newest(self, sealed: str) -> bool:
        """Whether it is encrypted, and with the newest key.

        Raises:
            SetupError: there is no key.
        """
        from cryptography.fernet import InvalidToken

        if not sealed.startswith(SEALED):
            return False
        with suppress(InvalidToken):
            self._current()[0].decrypt(sealed.removeprefix(SEALED))
            return True
        return False

    def derived(self, purpose: str, *, make: bool = True) -> tuple[bytes, ...]:
        """Keys for another purpose, the newest first: who knows one of them knows nothing of the others.

        Args:
            purpose: a word that is used for nothing else.
            make: see `seal`.

        Raises:
            SetupError: there is no key, or it is none.
            StorageError: the key's file can't be made.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        with self._lock:
            texts = self._texts(make=make)
        # What is no key is refused.
        for text in texts:
            _key(text, self._where())
        return tuple(
            HKDF(SHA256(), length=32, salt=None, info=f"maskwatch {purpose}".encode()).derive(
                base64.urlsafe_b64decode(text)
            )
            for text in texts
        )

    def _current(self, *, make: bool = False, again: bool = False) -> Sequence["Fernet"]:
        """The keys, the newest first; with `again` read anew."""
        with self._lock:
            if again or not self._keys:
                self._keys = tuple(_key(text, self._where()) for text in self._texts(make=make))
            return self._keys

    def _texts(self, *, make: bool) -> list[str]:
        texts = _split(self._given or "")
        if self._file is not None:
            try:
                texts += _split(self._file.read_text("ascii"))
            except FileNotFoundError:
                if make and not texts:
                    texts = _split(_make(self._file))
            except (OSError, ValueError) as error:
                raise SetupError(
                    f"passwords can't be kept or read: the key in {self._file} is not readable ({error})"
                ) from error
        if not texts:
            missing = f"the key {self._file} is missing: put it back, or" if self._file else "there is no key:"
            raise SetupError(f"passwords can't be kept or read: {missing} set MASKWATCH_SECRET_KEY ({_MAKE_ONE})")
        return texts

    def _where(self) -> str:
        if self._given:
            return "MASKWATCH_SECRET_KEY"
        return str(self._file) if self._file is not None else "MASKWATCH_SECRET_KEY"


def check_strength(keys: str) -> None:
    """See that a key that is set is one that nobody guesses; the key is not repeated.

    Args:
        keys: as MASKWATCH_SECRET_KEY has them.

    Raises:
        SetupError: it is a placeholder, too short, or no random bytes.
    """
    for text in _split(keys):
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        # Of 32 random bytes, 28 or so differ; of words, digits and repetitions far fewer.
        if len(raw) != 32 or len(set(raw)) < 20 or raw.isascii():
            raise SetupError(
                f"MASKWATCH_SECRET_KEY holds a placeholder or a weak key; whoever guesses it can log in as anybody: {_MAKE_ONE}"
            )


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text) if part]


def _key(text: str, where: str) -> "Fernet":
    from cryptography.fernet import Fernet

    try:
        return Fernet(text)
    except ValueError:
        # Without the cause: it may hold a part of the key.
        raise SetupError(
            f"passwords can't be kept or read: {where} holds no key (32 bytes in base64): {_MAKE_ONE}"
        ) from None


def _make(file: Path) -> str:
    """A new key in its file; of several processes that make one at once, all get the first one's."""
    from cryptography.fernet import Fernet

    make_folder(file.parent, 0o700)
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(Fernet.generate_key() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            # Unlike a rename, this fails where somebody was faster.
            with suppress(FileExistsError):
                os.link(name, file)
        finally:
            Path(name).unlink()
        return file.read_text("ascii")
    except OSError as error:
        raise storage_error(file, error) from error
