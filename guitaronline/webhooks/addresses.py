"""Which addresses may be written to. A partner names the address, so without this our network could be asked to call itself."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from guitaronline import policy
from guitaronline.errors import Reason

URL_LENGTH = 500
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
CARRIES_ANOTHER = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))  # an IPv4 inside


class AddressRefused(Exception):
    """The name leads to where nobody outside may send us."""


def url_problems(url: str) -> list[Reason]:
    """Rule: why this is no address for an endpoint; what its name leads to is looked at whenever it is called."""
    parts = _split(url)
    if parts is None or not url.isascii() or not url.isprintable() or " " in url or len(url) > URL_LENGTH:
        return [_problem("url_unreadable", "This is not an address on the web.")]
    found = []
    if parts.scheme != "https" and not (parts.scheme == "http" and is_own_machine(parts.hostname)):
        found.append(_problem("url_not_https", "What is sent has to be encrypted.", "Take an https address."))
    if parts.username or parts.password:
        found.append(_problem("url_with_password", "A name or password in the address is not kept.", "Leave it out."))
    if parts.fragment:
        found.append(_problem("url_with_fragment", "What stands after # is never sent.", "Leave it out."))
    if _is_refused_literal(parts.hostname):
        found.append(_problem("url_not_public", "This address is not on the public internet."))
    return found


def is_own_machine(host: str | None) -> bool:
    """Whether it is a program on this machine, which production never calls."""
    return host in LOOPBACK_NAMES and not policy.current().is_production


def resolve(host: str, port: int) -> str:
    """The numeric address to call. Every address that the name has must be public, and the very one that was looked at is
    called, so that the name cannot lead elsewhere a moment later. Raises AddressRefused, OSError."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found or not (is_own_machine(host) or all(is_public(each) for each in found)):
        raise AddressRefused(host)
    return found[0]


def is_public(numeric: str) -> bool:
    address = ip_address(numeric.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return _is_public(mapped or address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    is_inside = any(address in each for each in CARRIES_ANOTHER if each.version == address.version)
    return address.is_global and not (address.is_multicast or address.is_reserved or is_inside)


def _is_refused_literal(host: str | None) -> bool:
    try:
        return not is_own_machine(host) and not is_public(host or "")
    except ValueError:
        return host == "localhost" and not is_own_machine(host)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        known = parts.hostname is not None and parts.port != 0
    except ValueError:
        return None
    return parts if known and parts.scheme in ("http", "https") else None


def _problem(code: str, detail: str, fix: str = "") -> Reason:
    return Reason(code, detail, fix, "/url")
