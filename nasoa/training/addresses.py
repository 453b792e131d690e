"""The addresses of this machine on which the processes of one training listen for each other.

Messages between them are pickled by torch, and the key-value store for their rendezvous
authenticates nobody, so whoever can connect to either can run code in the processes. By default
torch listens on every address of the machine. This module restricts it to loopback if all processes
are on one machine, and otherwise to the address that leads to the others.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nasoa.errors import InvalidInput

LOOPBACK = "127.0.0.1"
# On Linux, a program that accepts connections here listens on every address.
ANOTHER_LOOPBACK = "127.0.0.2"
INTERFACE_VARIABLES = {"GLOO_SOCKET_IFNAME": "{}", "NCCL_SOCKET_IFNAME": "={}"}
# The DNS of a cluster knows the names of pods some time after the pods have started.
NAMES_MAY_COME_S = 120.0
PAUSE_S = 1.0
BACKLOG = 2048
_SIOCGIFADDR = 0x8915  # of Linux: an interface's IPv4 address


def store_of_keys(host: str, port: int, timeout: timedelta) -> TCPStore:
    """Return a key-value store that listens only on the address of this machine that `host` names.

    Args:
        host: name or address to which other processes connect.
        port: port to listen on; 0 for any free one, which is the `port` of the result.
        timeout: time after which a request to the store fails.

    Raises:
        InvalidInput: `host` is not this machine, or other machines cannot reach it by this name, or
            the port is not free.
    """
    listener = _listener(host, port)
    address, taken = listener.getsockname()[:2]
    return TCPStore(
        address,
        taken,
        is_master=True,
        timeout=timeout,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )


def use_interface_of(host: str, port: int) -> None:
    """Make Gloo and NCCL use only the network interface that leads to `host`.

    GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME are set unless they are set already.
    """
    name = _interface(_address_towards(host, port))
    if name is not None:
        for variable, form in INTERFACE_VARIABLES.items():
            os.environ.setdefault(variable, form.format(name))


def is_on_every_address(port: int) -> bool:
    """Return whether a program listens on this port of every address; only Linux can tell."""
    try:
        with socket.create_connection((ANOTHER_LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def _listener(host: str, port: int) -> socket.socket:
    problem = "it has no address"
    for family, address in _resolved(host, port):
        if _is_loopback(address) and not _names_loopback(host):
            problem = f"it is {address} here, which other machines do not reach"
            continue
        try:
            return socket.create_server((address, port), family=family, backlog=BACKLOG)
        except OSError as error:
            problem = f"{address}: {error.strerror}"
    raise InvalidInput(
        f"expected an address of this machine to listen on at port {port}, got {host}: {problem}; "
        "name the address by which the others reach it in --master-addr, or another --master-port"
    )


def _address_towards(host: str, port: int) -> str:
    """Return the address from which this machine sends to `host`; nothing is sent."""
    for family, address in _resolved(host, port):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, port))
            except OSError:
                continue
            return str(probe.getsockname()[0])
    raise InvalidInput(f"expected a way to {host}, but no network leads there; check MASTER_ADDR")


def _resolved(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Return the addresses of a name; if it has none yet, wait for them."""
    until = time.monotonic() + NAMES_MAY_COME_S
    while True:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if time.monotonic() > until:
                raise InvalidInput(
                    f"expected the name or address of a machine, got {host!r} ({error.strerror}); "
                    "check MASTER_ADDR"
                ) from None
            time.sleep(PAUSE_S)
        else:
            return [(family, str(address[0])) for family, _, _, _, address in found]


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _names_loopback(host: str) -> bool:
    """Return whether the user asked for loopback."""
    try:
        return _is_loopback(host)
    except ValueError:
        return host == "localhost"


def _interface(address: str) -> str | None:
    """Return the name of the interface that has this address; None if it cannot be found."""
    names = [name for _, name in socket.if_nameindex()]
    if _is_loopback(address):
        return next((name for name in names if name in ("lo", "lo0")), None)
    if sys.platform != "linux":
        return None
    wanted = ipaddress.ip_address(address.partition("%")[0])
    return next((name for name in names if wanted in _addresses_of(name)), None)


def _addresses_of(name: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    import fcntl  # noqa: PLC0415  (not everywhere)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("256s", name.encode()[:15])
        try:
            answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, request)
        except OSError:
            pass  # the interface has no IPv4 address
        else:
            yield ipaddress.IPv4Address(answer[20:24])
    table = Path("/proc/net/if_inet6")
    for line in table.read_text(encoding="ascii").splitlines() if table.exists() else ():
        digits, *_, owner = line.split()
        if owner == name:
            yield ipaddress.IPv6Address(int(digits, 16))
