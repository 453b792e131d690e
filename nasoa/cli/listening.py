"""Bind the sockets of the commands that serve."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from nasoa.errors import InvalidInput


@contextmanager
def refused_address(host: str, port: int) -> Iterator[None]:
    """Turn an error of binding a socket in the block into one that the user can fix.

    Raises:
        InvalidInput: the port is not free or not valid, or the address is not this machine's.
    """
    try:
        yield
    except (OSError, OverflowError, UnicodeError) as error:
        raise InvalidInput(
            f"expected a free port of an address of this machine, got {port} of {host}: {error}"
        ) from None


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address, and does not listen yet.

    Args:
        host: address or name of this machine; with colons, an address of IPv6.
        port: port; 0 for any free one.

    Raises:
        InvalidInput: the port is not free or not valid, or the address is not this machine's.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        with refused_address(host, port):
            # A port that was in use a minute ago is free.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
    except InvalidInput:
        bound.close()
        raise
    return bound


def url_of(host: str, bound: socket.socket) -> str:
    """Return the URL at which a bound socket is reached under the name of its host."""
    return f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"
