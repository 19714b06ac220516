"""Where a request may go: schemes, addresses, and what it may take along."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

import httpcore2
import httpx2

from truthound.async_core._http_errors import AddressBlockedError
from truthound.errors import ConfigurationError
from truthound.secrets import without_password

SCHEMES = frozenset({"http", "https"})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Takes a name and a port; returns the addresses, as texts.
Resolver = Callable[[str, int], Awaitable[Iterable[str]]]

# Headers that let somebody in, by the names in use.
_CREDENTIALS = re.compile(
    r"(?i)^(authorization|proxy-authorization|cookie)$"
    r"|(token|secret|password|signature|api[-_]?key|access[-_]?key)"
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def check_scheme(url: httpx2.URL) -> None:
    """Raise UnsupportedProtocol unless it is an http or https address with a host."""
    if url.scheme not in SCHEMES:
        raise httpx2.UnsupportedProtocol(
            f"expected an address that begins with http:// or https://, "
            f"got {without_password(str(url))!r}"
        )
    if not url.host:
        raise httpx2.UnsupportedProtocol("the address has no host")


def without_credentials(request: httpx2.Request, origin: httpx2.URL) -> httpx2.Request:
    """Take from a redirected request what another origin must not get.

    Cookies, too: those given to a client have no domain, and would go anywhere.

    Args:
        request: what a redirect asks for.
        origin: the address that answered with the redirect.
    """
    here = (origin.scheme, origin.host, _port(origin))
    if here != (request.url.scheme, request.url.host, _port(request.url)):
        for name in [name for name in request.headers if _CREDENTIALS.search(name)]:
            del request.headers[name]
    return request


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


class Guard:
    """Says which addresses may be connected to.

    Args:
        allowed: hosts, addresses or networks that are private and may be reached all
            the same.
        resolver: how names are looked up.

    Raises:
        ConfigurationError: an entry of ``allowed`` is empty.
    """

    def __init__(
        self, allowed: Collection[str] = (), resolver: Resolver | None = None
    ) -> None:
        self.resolver = resolver or _look_up
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in [allowed] if isinstance(allowed, str) else allowed:
            if not entry:
                raise ConfigurationError("allowed_hosts: an entry is empty")
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    def allows(self, host: str, address: str) -> bool:
        """Tell whether an address, found for a host, may be connected to."""
        if host.lower().rstrip(".") in self._names:
            return True
        found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        if any(
            found in network
            for network in self._networks
            if network.version == found.version
        ):
            return True
        return found.is_global and not found.is_multicast

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host that may be connected to.

        Raises:
            AddressBlockedError: there are only others.
        """
        found = list(dict.fromkeys(await self.resolver(host, port)))
        allowed = [address for address in found if self.allows(host, address)]
        if found and not allowed:
            raise AddressBlockedError(blocked(host, found[0]))
        return allowed


def blocked(host: str, address: str) -> str:
    """Return the message for an address that may not be connected to."""
    return (
        f"{host} leads to {address}, which is no public address; block_private is on, "
        "and allowed_hosts can name exceptions"
    )


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the address that was looked at, and looks nothing up again."""

    def __init__(self, guard: Guard, inner: httpcore2.AsyncNetworkBackend) -> None:
        self._guard = guard
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - of the class above
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception | None = None
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._guard.addresses(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"looking up {host} took long") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"{host}: {error}") from error
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - of the class above
        socket_options: Any = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise AddressBlockedError(f"{path} is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _embedded(address: Address) -> Address:
    """Return the address of version 4 that one of version 6 leads to, or itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class _WithoutPasswords(logging.Filter):
    """Takes passwords out of the addresses that httpx2 logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                without_password(str(arg)) if isinstance(arg, httpx2.URL) else arg
                for arg in record.args
            )
        return True


logging.getLogger("httpx2").addFilter(_WithoutPasswords())
