"""Which networks cameras may be in, and names looked up within a time limit.

A camera's address is hostile input: it must lead nowhere but to the networks that the operator has set. `private`, the
default, includes this machine itself, whose other services are then to be reached by no more than a camera's protocols:
list the cameras' own networks instead where that is too much.
"""

import ipaddress
import socket
import threading
from typing import Final, Self

from storage.errors import InvalidError, MaskwatchError, UsageError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLVE_S: Final = 3.0
"""Longest wait for a name to be looked up."""

MOST_LOOKUPS: Final = 32
"""Look-ups under way at once; each that hangs holds a thread until the system's resolver gives up."""

ADVICE: Final = "allow it in MASKWATCH_CAMERA_NETWORKS"

_PRIVATE: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
_ANY: Final = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_lookups: Final = threading.BoundedSemaphore(MOST_LOOKUPS)


class NetworkError(MaskwatchError):
    """A host can't be used."""


class NotAllowedError(NetworkError):
    """It is in a network that cameras may not be in."""


class UnknownHostError(NetworkError):
    """Nobody knows its name."""


class LookupTimeoutError(NetworkError):
    """Its name could not be looked up in time."""


class Networks:
    """The networks that cameras may be in.

    >>> Networks.parse("private, 203.0.113.0/24").allows("203.0.113.7")
    True
    >>> Networks.parse("private").allows("169.254.169.254")
    False
    """

    def __init__(self, networks: tuple[IpNetwork, ...], text: str) -> None:
        """Use `parse`."""
        self._networks = networks
        self._text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting.

        Args:
            text: separated by commas: `private` (loopback, RFC 1918, 100.64.0.0/10, fc00::/7, fe80::/10), `any`, or networks
                as `192.0.2.0/24`; a single address is a network of one.

        Raises:
            UsageError: something else stands there, or nothing at all.
        """
        networks: list[IpNetwork] = []
        for word in (part.strip() for part in text.split(",")):
            if word == "private":
                networks += _PRIVATE
            elif word == "any":
                networks += _ANY
            else:
                try:
                    networks.append(ipaddress.ip_network(word))
                except ValueError as error:
                    raise UsageError(
                        f"MASKWATCH_CAMERA_NETWORKS: {word!r} is no network ({error}): write private, any, or networks such "
                        "as 192.0.2.0/24, with commas between them"
                    ) from None
        return cls(tuple(networks), text)

    @property
    def everywhere(self) -> bool:
        """Whether cameras may be anywhere."""
        return all(network in self._networks for network in _ANY)

    def allows(self, address: str | IpAddress) -> bool:
        """Whether cameras may be there.

        Args:
            address: IPv4 or IPv6; what is no address is not allowed.
        """
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        inner = _inner(ip)
        # No camera is at the address of nobody or of many.
        if inner.is_unspecified or inner.is_multicast:
            return False
        return any(inner.version == network.version and inner in network for network in self._networks)

    def check_host(self, host: str) -> None:
        """Refuse an address outside; a name is looked up on connecting, not here.

        Args:
            host: name or address, without brackets.

        Raises:
            InvalidError: it is an address outside the networks.
        """
        literal = literal_address(host)
        if literal is not None and not self.allows(literal):
            raise InvalidError(
                f"the camera address leads to {literal}, which is outside the networks of cameras ({self._text}): {ADVICE}"
            )

    def resolved(self, host: str, port: int, limit_s: float = RESOLVE_S) -> str:
        """The address to connect to, which is allowed; connect to it and not to the name, which may change meanwhile.

        Args:
            host: name or address, without brackets.
            port: to connect to.
            limit_s: longest wait for the look-up.

        Raises:
            NotAllowedError: all of its addresses are outside.
            UnknownHostError: nobody knows the name.
            LookupTimeoutError: no answer in time.
        """
        literal = literal_address(host)
        found = [str(literal)] if literal is not None else _looked_up(host, port, limit_s)
        # Only one is tried: cameras that have both kinds answer at IPv4.
        allowed = next((address for address in sorted(found, key=_is_ipv6) if self.allows(address)), None)
        if allowed is None:
            raise NotAllowedError(f"{host} ({found[0]}) is outside the networks of cameras ({self._text}): {ADVICE}")
        return allowed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self._networks == other._networks

    def __hash__(self) -> int:
        return hash(self._networks)

    def __repr__(self) -> str:
        return f"Networks.parse({self._text!r})"


def literal_address(host: str) -> IpAddress | None:
    """The address that a host is, in any spelling that the system would take for one; None for a name.

    >>> literal_address("2130706433"), literal_address("camera.example")
    (IPv4Address('127.0.0.1'), None)
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # 0x7f.1, 017700000001 and the like: what the system's resolver takes for an address is one.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _is_ipv6(address: str) -> bool:
    return ":" in address


def _inner(ip: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv6 one that stands for it: mapped, 6to4, NAT64."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def _looked_up(host: str, port: int, limit_s: float) -> list[str]:
    """All addresses of a name; at least one."""
    if not _lookups.acquire(timeout=limit_s):
        raise LookupTimeoutError(f"the name {host} could not be looked up in {limit_s:g} s: check the name server")
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.extend(str(item[4][0]) for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error)
        finally:
            _lookups.release()
            done.set()

    # The system's resolver has no time limit that holds; what hangs is left behind.
    threading.Thread(target=look_up, name="lookup", daemon=True).start()
    if not done.wait(limit_s):
        raise LookupTimeoutError(f"the name {host} could not be looked up in {limit_s:g} s: check the name server")
    if not found:
        told = f" ({failed[0].strerror})" if failed and isinstance(failed[0], OSError) and failed[0].strerror else ""
        raise UnknownHostError(f"the name {host} is not known{told}: check its spelling and the name server")
    return found
