"""People and keys as commands and starts of a system have them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.listening import ip_address
from infra.places import Places, database_url
from infra.settings import Settings
from storage.files import make_folder

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from storage.database.account_rows import Account, Link


@contextmanager
def opened_database(settings: Settings) -> Iterator["Engine"]:
    """The database of a system, running or not; it and its data folder are made where missing."""
    from storage.database.engine import migrate, open_engine

    if settings.database_url is None:
        make_folder(Places.of(settings).data, 0o700)
    engine = open_engine(database_url(settings))
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def check_open(settings: Settings, host: str) -> Sequence[str]:
    """See that the API may listen there.

    Args:
        settings: of the system.
        host: where it is to listen.

    Returns:
        What a person should know of it.

    Raises:
        UsageError: the host is no address.
        SetupError: others can come in, and the key that is set is one that can be guessed.
    """
    from storage.secrets import check_strength

    here, public = ip_address(host).is_loopback, settings.public_url
    if settings.secret_key is not None and not (here and public is None and settings.login == "auto"):
        check_strength(settings.secret_key.get_secret_value())
    if here or (public or "").startswith("https:"):
        return ()
    warning = (
        f"warning: with --host {host} passwords and pictures cross the network in the clear: put a TLS proxy in front, and "
        "set MASKWATCH_PUBLIC_URL to its https:// address"
    )
    return (warning,)


def link_url(settings: Settings, base: str, link: "Link") -> str:
    """The address that leads in once. What stands behind # reaches no server's log."""
    return f"{settings.public_url or base}/#/link/{link.secret}"


def welcome(settings: Settings, base: str, *, is_open: bool) -> Sequence[str]:
    """What is said when the API has come up: how to get in, as long as nobody could otherwise.

    The first start makes an administrator without a password. Where everybody has to log in, there is a new link with every
    start until one of the administrators has a password.

    Args:
        settings: of the system.
        base: its address for a browser on another machine.
        is_open: whether it can be reached from other machines.

    Raises:
        StorageError: the database can't be read or written.
    """
    from storage.database.accounts import Accounts

    needed = is_open or settings.login == "always" or settings.public_url is not None
    with opened_database(settings) as engine:
        accounts = Accounts(engine)
        made = accounts.first()
        who = made or (_waiting(accounts.accounts()) if needed and not accounts.reachable() else None)
        if who is None:
            return ()
        url = link_url(settings, base, accounts.link(who.id))
    here = (
        ""
        if settings.login == "always" or settings.public_url
        else "on this machine no login is needed; from elsewhere: "
    )
    return (
        f"{here or f'log in as {who.name}: '}{url}",
        f"this link leads in once, as {who.name}, within 24 hours; `maskwatch user link {who.name}` makes another",
    )


def _waiting(accounts: Sequence["Account"]) -> "Account | None":
    """An administrator of everything who has not chosen a password yet."""
    from storage.identity import Role

    every = (one for one in accounts if one.role is Role.ADMIN and one.buildings is None and one.enabled)
    return next(every, None)
