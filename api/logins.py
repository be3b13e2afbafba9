"""Logging in, as all requests of a process share it: the signing keys, the hasher, and how often somebody may try."""

import math
import time
from urllib.parse import urlsplit

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.types import Scope

from api.cookies import ACCESS, REFRESH, cookie, set_later
from api.headers import is_loopback, named_host, peer_of
from api.login_setup import LoginSetup
from api.problems import ProblemError
from api.tokens import Tokens
from storage.bus import Bus
from storage.database.api_keys import ApiKeys
from storage.database.sessions import Peer, Session, Sessions
from storage.database.sites import Sites
from storage.messages import NS_PER_S
from storage.tries import Tries


class Logins:
    """What logging in takes; safe for threads."""

    def __init__(self, engine: Engine, sites: Sites, bus: Bus, setup: LoginSetup) -> None:
        """Put it together; nothing is connected.

        Args:
            engine: of a migrated database.
            sites: knows the key that passwords of cameras are encrypted with.
            bus: counts tries.
            setup: how people log in.
        """
        self.setup = setup
        self.tokens = Tokens(sites.derived_keys)
        self.sessions = Sessions(engine, setup.passwords)
        self.keys = ApiKeys(engine)
        self.tries = Tries(bus)

    def begin_try(self, name: str | None, address: str | None) -> None:
        """Begin a try to log in.

        Raises:
            ProblemError: 429: it comes too early.
        """
        wait_s = self.tries.begin(name, address)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise ProblemError(
                429,
                "too-many-tries",
                f"too many tries to log in: the next may be made in {seconds} s",
                retry_in_s=seconds,
            )

    def is_local(self, request: Request) -> bool:
        """Whether a request comes from a person at this machine, who need not log in.

        The peer and what the browser calls us are the loopback, so that no name of another site leads here, and nobody has
        passed it on. Where an address is set by which others come, a proxy may do so without saying it: then nobody is.
        Nor is who speaks HTTP/1.0: no browser does, but nginx, which names neither itself nor others unless it is told to.
        """
        hosts, public = request.headers.getlist("host"), urlsplit(self.setup.public_url or "//localhost")
        return (
            self.setup.mode == "auto"
            and request.scope["http_version"] != "1.0"
            and is_loopback(public.hostname or "")
            and is_loopback(peer_of(request.scope) or "")
            and len(hosts) == 1
            and is_loopback(named_host(hosts[0]))
            and not any(name in PASSED_ON or name.startswith("x-forwarded") for name in request.headers)
        )

    def set_cookies(self, scope: Scope, session: Session) -> None:
        """Have the answer give the browser new tokens."""
        life_s = max(1, session.expires_at_ns // NS_PER_S - int(time.time()))
        secure = self._secure(scope)
        tokens = (
            (ACCESS, self.tokens.made(session.id, "cookie", session.expires_at_ns)),
            (REFRESH, self.tokens.made(session.id, "refresh", session.expires_at_ns)),
        )
        # The browser keeps both as long: one that is too old is told from none.
        set_later(scope, *(cookie(name, value, life_s, secure=secure) for name, value in tokens))

    def forget_cookies(self, scope: Scope) -> None:
        """Have the answer take the browser's tokens away."""
        secure = self._secure(scope)
        set_later(scope, *(cookie(name, "", 0, secure=secure) for name in (ACCESS, REFRESH)))

    def _secure(self, scope: Scope) -> bool:
        # What a proxy says is believed here, since it can only make a cookie stricter.
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        return scope["scheme"] == "https" or b"https" in said or (self.setup.public_url or "").startswith("https:")


PASSED_ON = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
    | {"x-original-host", "x-original-url", "fastly-client-ip"}
)
"""Said by proxies: what comes through one does not come from a person at this machine."""


def logins_of(request: Request) -> Logins:
    """What logging in takes, of the application that is asked."""
    logins: Logins = request.app.state.logins
    return logins


def peer(request: Request) -> Peer:
    """Where a request comes from."""
    return Peer(peer_of(request.scope), request.headers.get("user-agent"))
