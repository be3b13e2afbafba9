"""People, keys and the audit log."""

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.asking import Named, Page
from api.shapes.common import iso_or_none
from api.times import Instant, Time, iso
from storage.database.account_rows import Account, AccountChanges
from storage.database.api_keys import ApiKey, NewKey
from storage.database.audit import AuditEntry, AuditWanted
from storage.identity import Caller, Role
from storage.passwords import LONGEST, SHORTEST

SECRET: dict[str, Any] = {"format": "password", "writeOnly": True}
Buildings = list[Named]

ALL_BY_NAME: Final = "Null: all. To be given always: who forgets it lets nobody in everywhere."


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoginIn(_Body):
    """Name and password of an account."""

    name: str = Field(max_length=200, examples=["admin"])
    password: str = Field(max_length=LONGEST, json_schema_extra=SECRET, repr=False)
    cookie: bool = Field(False, description="Set the console's cookies instead of giving out the token.")


class LinkIn(_Body):
    """A one-time link, and the password that is chosen."""

    token: str = Field(max_length=200, description="What stands behind `#/link/`.", repr=False)
    password: str = Field(
        max_length=LONGEST, description=f"At least {SHORTEST} characters.", json_schema_extra=SECRET, repr=False
    )
    cookie: bool = Field(False, description="Set the console's cookies instead of giving out the token.")


class Login(BaseModel):
    """A login."""

    access_token: str | None = Field(description="Null where cookies are set.", repr=False)
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds until the token has to be renewed.")
    csrf_token: str | None = Field(
        description="With cookies: `X-CSRF-Token` of every change; null without.", repr=False
    )


class Me(BaseModel):
    """Who calls."""

    id: str
    name: str
    kind: Literal["account", "key", "local", "system"]
    role: Role
    buildings: list[str] | None = Field(description="Null: all.")
    csrf_token: str | None = Field(description="Of a login with cookies.", repr=False)
    login_required: bool = Field(description="False at the machine itself, where nobody has to log in.")

    @classmethod
    def of(cls, caller: Caller, csrf_token: str | None, *, login_required: bool) -> Self:
        """From who calls."""
        return cls(
            id=caller.id,
            name=caller.name,
            kind=caller.kind,
            role=caller.role,
            buildings=None if caller.buildings is None else sorted(caller.buildings),
            csrf_token=csrf_token,
            login_required=login_required,
        )


class PasswordPatch(_Body):
    """Another password of one's own."""

    old_password: str = Field(max_length=LONGEST, json_schema_extra=SECRET, repr=False)
    new_password: str = Field(
        max_length=LONGEST, description=f"At least {SHORTEST} characters.", json_schema_extra=SECRET, repr=False
    )


class UserIn(_Body):
    """An account to be made."""

    name: str = Field(examples=["dana"])
    role: Role
    buildings: Buildings | None = Field(description=ALL_BY_NAME)
    password: str | None = Field(
        None, max_length=LONGEST, description="Null: a link is made for them.", json_schema_extra=SECRET, repr=False
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    # What is not sent is not changed: no value stands for it.
    for one in schema.get("properties", {}).values():
        one.pop("default", None)


class UserPatch(_Body):
    """What is to be different about an account. Another name apart, it ends all its sessions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_defaults)

    name: str = ""
    role: Role = Role.VIEWER
    buildings: Buildings | None = Field(None, description="Null: all.")
    enabled: bool = True
    password: str = Field("", max_length=LONGEST, json_schema_extra=SECRET, repr=False)

    def changes(self) -> AccountChanges:
        """The same for the database."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if given.get("buildings") is not None:
            given["buildings"] = tuple(given["buildings"])
        return AccountChanges(**given)


class User(BaseModel):
    """An account; its password is never given out."""

    id: str
    name: str
    role: Role
    buildings: list[str] | None = Field(description="Null: all.")
    has_password: bool = Field(description="False until they have used a link.")
    enabled: bool
    version: int
    created_at: Instant
    seen_at: Instant | None = Field(description="When they last logged in.")

    @classmethod
    def of(cls, account: Account) -> Self:
        """From the record."""
        return cls(
            id=account.id,
            name=account.name,
            role=account.role,
            buildings=None if account.buildings is None else list(account.buildings),
            has_password=account.has_password,
            enabled=account.enabled,
            version=account.version,
            created_at=iso(account.created_at_ns),
            seen_at=iso_or_none(account.seen_at_ns),
        )


class UserLink(BaseModel):
    """A way in that works once."""

    link: str = Field(description="To be opened in a browser.", repr=False)
    expires_at: Instant


class KeyIn(_Body):
    """A key to be made."""

    name: str = Field(examples=["grafana"])
    role: Role
    buildings: Buildings | None = Field(description=ALL_BY_NAME)
    expires_at: Time | None = Field(None, description="Null: never.")

    def record(self) -> NewKey:
        """The same for the database."""
        return NewKey(self.name, self.role, None if self.buildings is None else tuple(self.buildings), self.expires_at)


class Key(BaseModel):
    """A key for a program, without its secret."""

    id: str
    name: str
    hint: str = Field(description="The last letters of the key.")
    role: Role
    buildings: list[str] | None = Field(description="Null: all.")
    created_by: str
    created_at: Instant
    expires_at: Instant | None
    used_at: Instant | None = Field(description="Within a minute.")
    revoked_at: Instant | None

    @classmethod
    def of(cls, record: ApiKey, **more: Any) -> Self:
        """From the record; with what a subclass has more."""
        return cls(
            id=record.id,
            name=record.name,
            hint=record.hint,
            role=record.role,
            buildings=None if record.buildings is None else list(record.buildings),
            created_by=record.created_by,
            created_at=iso(record.created_at_ns),
            expires_at=iso_or_none(record.expires_at_ns),
            used_at=iso_or_none(record.used_at_ns),
            revoked_at=iso_or_none(record.revoked_at_ns),
            **more,
        )


class MadeKey(Key):
    """A key that was just made, with its secret: it is shown this once."""

    key: str = Field(description="`Authorization: Bearer` of the program.", repr=False)


class AuditQuery(Page):
    """Which entries of the audit log."""

    caller: str | None = Field(None, max_length=200, description="Identifier or name of who did it.")
    action: str | None = Field(None, max_length=40, description="Or what stands before its dot, such as `camera`.")
    object_type: str | None = Field(None, max_length=20)
    object_id: str | None = Field(None, max_length=200)
    building: Named | None = None
    from_: Time | None = Field(None, alias="from", description="At or after.")
    to: Time | None = Field(None, description="Before.")
    format: Literal["json", "csv", "jsonl"] = Field("json", description="`csv` and `jsonl` give all at once.")

    def wanted(self) -> AuditWanted:
        """The same for the database."""
        return AuditWanted(
            caller=self.caller,
            action=self.action,
            object_type=self.object_type,
            object_id=self.object_id,
            building=self.building,
            from_ns=self.from_,
            to_ns=self.to,
        )


class AuditLine(BaseModel):
    """What somebody did."""

    id: int
    at: Instant
    caller_id: str
    caller_name: str
    caller_kind: str
    address: str | None
    action: str
    object_type: str
    object_id: str
    building_id: str | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """From the record."""
        return cls(
            id=entry.id,
            at=iso(entry.at_ns),
            caller_id=entry.caller_id,
            caller_name=entry.caller_name,
            caller_kind=entry.caller_kind,
            address=entry.address,
            action=entry.action,
            object_type=entry.object_type,
            object_id=entry.object_id,
            building_id=entry.building_id,
            detail=entry.detail,
        )
