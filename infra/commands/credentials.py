"""`maskwatch credential`: users and passwords that cameras share by name, so that one change serves all."""

import sys
from typing import Annotated

import typer

from api.shapes.cameras import Credential
from api.times import iso
from infra.commands.options import Json
from infra.commands.registry import opened_sites, tell, tell_all, tell_facts
from infra.console import results
from infra.settings import load_settings
from storage.database.sites import Sites
from storage.errors import NotFoundError, UsageError
from storage.names import normal_name

LONGEST = 4096

credential = typer.Typer(help="Set up users and passwords that cameras share.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name for people, unique: cameras name it.", show_default=False)]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, where nobody else sees it.")
]


@credential.command("add")
def add_credential(
    name: Name,
    user: Annotated[str, typer.Option("--user", metavar="U", help="As the cameras know it.", show_default=False)],
    password_stdin: PasswordStdin = False,
    json: Json = False,
) -> None:
    """Keep a user and password, encrypted. At a terminal the password is asked for."""
    password = asked_password(password_stdin)
    with opened_sites(load_settings()) as sites:
        made = sites.add_credential(name, user, password)
    tell(Credential.of(made), f"credential {made.name}: user {made.user}", json)


@credential.command("list")
def list_credentials(json: Json = False) -> None:
    """List them, without passwords."""
    with opened_sites(load_settings()) as sites:
        found = sites.credentials()
        users = _users(sites)
    rows = [(one.name, one.user, ", ".join(users.get(one.name, [])), iso(one.changed_at_ns)) for one in found]
    tell_all([Credential.of(one) for one in found], ("name", "user", "cameras", "changed"), rows, json)


@credential.command("show")
def show_credential(name: Name, json: Json = False) -> None:
    """Show one and the cameras that name it, without its password."""
    with opened_sites(load_settings()) as sites:
        found = next((one for one in sites.credentials() if normal_name(one.name) == normal_name(name)), None)
        users = _users(sites)
    if found is None:
        raise NotFoundError(f"there is no credential {name!r}: see `maskwatch credential list`")
    if json:
        tell(Credential.of(found), "", json)
        return
    tell_facts(
        ("name", found.name),
        ("user", found.user),
        ("cameras", ", ".join(users.get(found.name, []))),
        ("changed", iso(found.changed_at_ns)),
    )


@credential.command("change")
def change_credential(
    name: Name,
    user: Annotated[str | None, typer.Option("--user", metavar="U", help="Another user.", show_default=False)] = None,
    password_stdin: PasswordStdin = False,
    json: Json = False,
) -> None:
    """Give it another user or password: all cameras that name it connect anew."""
    if user is None and not password_stdin:
        raise UsageError("say what is to be changed: --user, --password-stdin, or both")
    password = asked_password(given=True) if password_stdin else None
    with opened_sites(load_settings()) as sites:
        new = sites.change_credential(name, user=user, password=password)
    tell(Credential.of(new), f"credential {new.name} is changed: user {new.user}", json)


@credential.command("remove")
def remove_credential(name: Name) -> None:
    """Forget it; no camera may name it any more."""
    with opened_sites(load_settings()) as sites:
        sites.remove_credential(name)
    results.print(f"credential {name} is removed", markup=False)


def asked_password(given: bool) -> str:
    """The password, from where nobody else sees it.

    Raises:
        UsageError: there is none.
    """
    if not given:
        if not sys.stdin.isatty():
            raise UsageError("give the password on standard input: --password-stdin")
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
    text = sys.stdin.read(LONGEST + 1)
    # What `echo` adds, and nothing else: a password may end with a space.
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or len(text) > LONGEST:
        raise UsageError("there is no password on standard input: printf '%s' PASSWORD | maskwatch ...")
    return password


def _users(sites: Sites) -> dict[str, list[str]]:
    """Identifiers of the cameras that name a credential, by its name."""
    users: dict[str, list[str]] = {}
    for camera in sites.cameras():
        if camera.credential is not None:
            users.setdefault(camera.credential, []).append(camera.id)
    return users
