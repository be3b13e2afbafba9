"""`maskwatch user`: people who may log in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from api.shapes.people import User, UserLink
from api.times import iso
from infra.commands.credentials import asked_password
from infra.commands.options import Json
from infra.commands.registry import find_building, person_here, tell, tell_all, tell_facts
from infra.console import results
from infra.people import link_url, opened_database
from infra.settings import Settings, load_settings
from infra.sites import system_sites
from storage.database.account_rows import Account, AccountChanges, Link
from storage.database.accounts import Accounts
from storage.database.sites import Sites
from storage.errors import UsageError
from storage.identity import Role

HERE = "http://127.0.0.1:8000"
"""Where the console is unless something else is said."""

user = typer.Typer(help="Say who may log in, and what they may.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name or identifier of the account.", show_default=False)]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may.", show_default=False)]
Buildings = Annotated[
    list[str] | None,
    typer.Option(
        "--building",
        metavar="B",
        help="Limit them to this building; may be given again. Who is added without it has all buildings.",
        show_default=False,
    ),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, where nobody else sees it.")
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help=f"Where they find the console (MASKWATCH_PUBLIC_URL, {HERE}).", show_default=False
    ),
]


@user.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="By which they log in; unique.", show_default=False)],
    role: RoleOption,
    building: Buildings = None,
    password_stdin: PasswordStdin = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Let somebody in. Without --password-stdin they get a one-time link, and choose a password themself."""
    settings = load_settings(public_url=url)
    password = asked_password(given=True) if password_stdin else None
    with opened_accounts(settings) as (accounts, sites):
        made = accounts.add(name, role, chosen_buildings(sites, building), password)
        link = None if password_stdin else accounts.link(made.id)
    tell(User.of(made), f"account {made.name}: {_rights(made)}", json)
    if link is not None and not json:
        _say_link(settings, made, link)


@user.command("list")
def list_users(json: Json = False) -> None:
    """List the accounts."""
    with opened_accounts(load_settings()) as (accounts, _):
        found = accounts.accounts()
    rows = [(one.id, one.name, str(one.role), _buildings(one), _state(one), _seen(one)) for one in found]
    tell_all([User.of(one) for one in found], ("id", "name", "role", "buildings", "state", "last login"), rows, json)


@user.command("show")
def show_user(name: Name, json: Json = False) -> None:
    """Show one."""
    with opened_accounts(load_settings()) as (accounts, _):
        found = accounts.named(name)
    if json:
        tell(User.of(found), "", json)
        return
    tell_facts(
        ("id", found.id),
        ("name", found.name),
        ("role", str(found.role)),
        ("buildings", _buildings(found) or "all"),
        ("state", _state(found)),
        ("last login", _seen(found)),
    )


@user.command("change")
def change_user(
    name: Name,
    role: Annotated[Role | None, typer.Option("--role", help="What they may.", show_default=False)] = None,
    building: Buildings = None,
    all_buildings: Annotated[bool, typer.Option("--all-buildings", help="Limit them no more.")] = False,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether they may log in.", show_default=False)
    ] = None,
    rename: Annotated[
        str | None, typer.Option("--rename", metavar="NAME", help="Another name.", show_default=False)
    ] = None,
    password_stdin: PasswordStdin = False,
    json: Json = False,
) -> None:
    """Change an account. Another name apart, all its logins end at once."""
    if building and all_buildings:
        raise UsageError("give --building or --all-buildings, not both")
    given: dict[str, Any] = {}
    if password_stdin:
        given["password"] = asked_password(given=True)
    given |= {key: value for key, value in (("role", role), ("enabled", enable), ("name", rename)) if value is not None}
    with opened_accounts(load_settings()) as (accounts, sites):
        if building or all_buildings:
            given["buildings"] = chosen_buildings(sites, building)
        if not given:
            raise UsageError(
                "say what is to be changed: --role, --building, --all-buildings, --enable, --disable, --rename or "
                "--password-stdin"
            )
        new = accounts.change(accounts.named(name).id, AccountChanges(**given))
    tell(User.of(new), f"account {new.name} is changed: {_rights(new)}, {_state(new)}", json)


@user.command("remove")
def remove_user(name: Name) -> None:
    """Remove an account: all its logins end. What they did stays in the audit log."""
    with opened_accounts(load_settings()) as (accounts, _):
        found = accounts.named(name)
        accounts.remove(found.id)
    results.print(f"account {found.name} is removed", markup=False)


@user.command("link")
def make_link(name: Name, url: Url = None, json: Json = False) -> None:
    """Make a one-time link: who opens it chooses a password, and is in. The one before leads in no more."""
    settings = load_settings(public_url=url)
    with opened_accounts(settings) as (accounts, _):
        found = accounts.named(name)
        link = accounts.link(found.id)
    if json:
        tell(UserLink(link=link_url(settings, HERE, link), expires_at=iso(link.expires_at_ns)), "", json)
    else:
        _say_link(settings, found, link)


@contextmanager
def opened_accounts(settings: Settings) -> Iterator[tuple[Accounts, Sites]]:
    """The accounts of a system, running or not, as whoever is at this machine uses them; and its buildings."""
    with opened_database(settings) as engine:
        yield Accounts(engine).for_(person_here()), system_sites(engine, settings).for_(person_here())


def chosen_buildings(sites: Sites, given: list[str] | None) -> tuple[str, ...] | None:
    """Identifiers of buildings by what a person calls them; None: all."""
    return tuple(find_building(sites, one).id for one in given) if given else None


def _say_link(settings: Settings, account: Account, link: Link) -> None:
    results.print(link_url(settings, HERE, link), markup=False)
    results.print(f"it leads in once, as {account.name}, until {iso(link.expires_at_ns)}", markup=False)


def _buildings(account: Account) -> str:
    return "" if account.buildings is None else ", ".join(account.buildings)


def _rights(account: Account) -> str:
    return f"{account.role} of {_buildings(account) or 'all buildings'}"


def _state(account: Account) -> str:
    if not account.enabled:
        return "disabled"
    return "" if account.has_password else "no password yet"


def _seen(account: Account) -> str:
    return "" if account.seen_at_ns is None else iso(account.seen_at_ns)
