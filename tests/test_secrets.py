"""What is encrypted: with a key of one's own or one that is made, changed without losing anything, and lost in words."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.errors import SetupError, StorageError
from storage.secrets import SEALED, Secrets

ADDRESS = "rtsp://admin:pässwörd@10.0.0.5/1"
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secret.key"


def test_a_key_is_made_when_it_is_first_needed_and_only_its_owner_may_read_it(file: Path) -> None:
    secrets = Secrets(file)
    assert not file.exists()
    sealed = secrets.seal(ADDRESS)
    assert sealed.startswith(SEALED)
    assert "admin" not in sealed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert secrets.open(sealed) == Secrets(file).open(sealed) == ADDRESS
    assert secrets.is_newest(sealed)
    assert not secrets.is_newest(ADDRESS)


def test_those_who_make_a_key_at_once_share_it(file: Path) -> None:
    barrier = threading.Barrier(8)
    sealed: list[str] = []

    def keep() -> None:
        barrier.wait(10)
        sealed.append(Secrets(file).seal(ADDRESS))

    threads = [threading.Thread(target=keep) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [Secrets(file).open(one) for one in sealed] == [ADDRESS] * 8
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_key_that_is_given_needs_no_file(file: Path) -> None:
    secrets = Secrets(file, keys=NEW)
    assert secrets.open(secrets.seal(ADDRESS)) == ADDRESS
    assert not file.exists()
    assert NEW not in repr(secrets)


def test_the_first_of_several_keys_encrypts_and_all_decrypt(file: Path) -> None:
    before = Secrets(keys=OLD).seal(ADDRESS)
    both = Secrets(keys=f"{NEW}, {OLD}")
    assert both.open(before) == ADDRESS
    assert not both.is_newest(before)
    assert Secrets(keys=NEW).open(both.seal(ADDRESS)) == ADDRESS
    # From a file to a key that is given.
    made = Secrets(file).seal(ADDRESS)
    moved = Secrets(file, keys=NEW)
    assert moved.open(made) == ADDRESS
    assert Secrets(keys=NEW).open(moved.seal(ADDRESS)) == ADDRESS


def test_a_lost_key_is_named_and_nothing_is_made_in_its_place_by_reading(file: Path) -> None:
    sealed = Secrets(file).seal(ADDRESS)
    lost = file.rename(file.with_name("elsewhere"))
    secrets = Secrets(file)
    with pytest.raises(SetupError, match=r"the key .*secret\.key is missing: put it back, or set MASKWATCH_SECRET_KEY"):
        secrets.open(sealed)
    assert not file.exists()
    secrets.seal("another")
    with pytest.raises(SetupError, match=r"another key than that of .*secret\.key: put that key back"):
        secrets.open(sealed)
    lost.replace(file)
    assert secrets.open(sealed) == ADDRESS


@pytest.mark.parametrize(
    "keys", ["secret", NEW[:-4], f"{NEW},secret", "schlüssel"], ids=["word", "cut", "two", "umlaut"]
)
def test_what_is_no_key_is_not_repeated(keys: str) -> None:
    with pytest.raises(SetupError, match=r"MASKWATCH_SECRET_KEY holds no key .*openssl rand -base64 32") as error:
        Secrets(keys=keys).seal(ADDRESS)
    assert keys not in str(error.value)
    assert error.value.__cause__ is None


def test_without_any_key_nothing_is_kept() -> None:
    with pytest.raises(SetupError, match="there is no key: set MASKWATCH_SECRET_KEY"):
        Secrets().seal(ADDRESS)


def test_a_key_file_that_cannot_be_read_or_made(tmp_path: Path) -> None:
    (tmp_path / "secret.key").mkdir()
    with pytest.raises(SetupError, match="is not readable"):
        Secrets(tmp_path / "secret.key").seal(ADDRESS)
    (tmp_path / "file").touch()
    with pytest.raises((SetupError, StorageError), match="file"):
        Secrets(tmp_path / "file" / "secret.key").seal(ADDRESS)
    (tmp_path / "empty.key").touch()
    with pytest.raises(SetupError, match="is missing"):
        Secrets(tmp_path / "empty.key").open("enc1:x")


def test_what_was_tampered_with_is_not_opened() -> None:
    secrets = Secrets(keys=NEW)
    sealed = secrets.seal(ADDRESS)
    for broken in (sealed[:-6], SEALED, f"{SEALED}x", sealed.replace(sealed[20], "A" if sealed[20] != "A" else "B", 1)):
        with pytest.raises(SetupError, match="another key"):
            secrets.open(broken)
