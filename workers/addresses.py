"""Which addresses a provider may have: the guard against requests into the private network."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that Python's `is_global` lets through although they lead inside or wrap an IPv4 address.
_WRAPPED_V4 = {
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # NAT64, RFC 6052: the last 32 bits
    ipaddress.IPv6Network("2002::/16"): 80,  # 6to4, RFC 3056: the 32 bits after the prefix
    ipaddress.IPv6Network("::/96"): 0,  # IPv4-compatible, RFC 4291: the last 32 bits
}
_NEVER_GLOBAL = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # IETF protocol assignments, RFC 6890
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 inside one network, RFC 8215
    ipaddress.IPv6Network("fec0::/10"),  # site-local, RFC 3879
)


class ForbiddenAddressError(ValueError):
    """An address that a provider may not have; the text says what to do."""


def check_url(url: str) -> None:
    """Check that a provider's URL is plain http(s) and leads to a public or an explicitly allowed address.

    Raises `ForbiddenAddressError`. A host that cannot be resolved now passes: the request itself will say so.
    This is for forms. Requests call `permitted_addresses` for every connection that they open, because a name
    may lead elsewhere by then.
    """
    permitted_addresses(*parse_url(url))


def parse_url(url: str) -> tuple[str, int]:
    """Host and port of a provider's URL. Raises `ForbiddenAddressError` unless it is plain http or https."""
    if any(character <= " " or character == "\\" for character in url):
        raise ForbiddenAddressError("The address contains a space, a control character or a backslash.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError as error:
        raise ForbiddenAddressError(f"This is not a valid address: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ForbiddenAddressError("Enter an address that starts with http:// or https://.")
    if parts.username or parts.password:
        raise ForbiddenAddressError("Leave user name and password out of the address; the key has its own field.")
    if "?" in url or "#" in url:  # what is asked for is appended to the address
        raise ForbiddenAddressError("Leave out the ? or # of the address and what follows it.")
    return host, port


def permitted_addresses(host: str, port: int) -> list[str]:
    """The IP addresses behind `host`, every one of which may be connected to; empty if it cannot be resolved.

    Raises `ForbiddenAddressError` if one of them is private and no operator has allowed `host`.
    """
    found = _resolve(host, port)
    if not _is_allowed_private(host, port):
        for address in found:
            if not _is_public(address):
                raise ForbiddenAddressError(
                    f"{host} leads to {address}, which is not a public address. An operator can allow it with "
                    f"PROVIDER_PRIVATE_HOSTS={_shown(host)}:{port}."
                )
    return [str(address) for address in found]


def _is_allowed_private(host: str, port: int) -> bool:
    shown = _shown(host)
    return bool({f"{shown}:{port}", f"{shown}:*"} & set(settings.PROVIDER_PRIVATE_HOSTS))


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _resolve(host: str, port: int) -> list[IPAddress]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return _is_public(address.ipv4_mapped)
        for network, shift in _WRAPPED_V4.items():
            if address in network:
                return _is_public(ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
    return (
        address.is_global
        and not address.is_multicast
        and not any(address.version == network.version and address in network for network in _NEVER_GLOBAL)
    )
