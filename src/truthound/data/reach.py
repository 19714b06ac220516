"""Whether anybody answers at an address.

Polars tries an HTTP server that refuses the connection again and again, for up to
twenty seconds a request, and takes no option that would change it (2.1; its
``max_retries`` is heard by the other stores alone). That is right for a server that
answers, if only with 503, and of no use where there is none.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from truthound._clock import SYSTEM_CLOCK
from truthound.errors import DataError

PATIENCE = 2.5  # seconds in all, as a server that is started anew may need
PAUSE = 0.25  # seconds before the second attempt; twice as long before each other


def refuse_unreachable(address: str, name: str) -> None:
    """Connect to the server of an http or https address, and hang up. Blocks.

    Behind a proxy nothing is tried: the proxy knows the way, and this machine may not.

    Raises:
        DataError: it cannot be reached; the message has ``name`` in it.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DataError(f"{name} is no address: {error}") from error
    if not host:
        raise DataError(f"{name} is no address: it names no server")
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return
    port = port or (443 if parts.scheme == "https" else 80)
    deadline, pause = SYSTEM_CLOCK.monotonic() + PATIENCE, PAUSE
    while True:
        left = max(deadline - SYSTEM_CLOCK.monotonic(), PAUSE)
        try:
            socket.create_connection((host, port), timeout=left).close()
            return
        except OSError as error:
            if SYSTEM_CLOCK.monotonic() + pause > deadline:
                reason = error.strerror or str(error)
                raise DataError(
                    f"{name} cannot be read: nobody answers at {host}, port {port} "
                    f"({reason})"
                ) from error
        SYSTEM_CLOCK.sleep(pause)
        pause *= 2
