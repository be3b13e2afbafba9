"""A route's way to accounts, keys and the audit log: as the caller may use them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.access import Calling
from api.context import whole_context
from storage.database.accounts import Accounts
from storage.database.api_keys import ApiKeys
from storage.database.audit import AuditLog


@dataclass(frozen=True, slots=True)
class Repositories:
    """What the routes about people stand on.

    Attributes:
        accounts: people who may log in.
        keys: of programs.
        audit: who did what.
    """

    accounts: Accounts
    keys: ApiKeys
    audit: AuditLog


def _people(request: Request, caller: Calling) -> Repositories:
    whole = whole_context(request)
    return Repositories(
        Accounts(whole.engine, whole.login.passwords).for_(caller),
        ApiKeys(whole.engine).for_(caller),
        AuditLog(whole.engine).for_(caller),
    )


People = Annotated[Repositories, Depends(_people)]
