"""On which address a store of keys listens, and what is not one."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from nasoa.errors import InvalidInput
from nasoa.training import addresses
from nasoa.training.addresses import is_on_every_address, store_of_keys, use_interface_of
from tests.training.listening import is_open, others

SOON = timedelta(seconds=20)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_store_on_loopback_is_not_open_elsewhere(host: str) -> None:
    store = store_of_keys(host, 0, SOON)
    client = TCPStore(host, store.port, is_master=False, timeout=SOON)
    client.set("key", "value")
    assert store.get("key") == b"value"
    assert [address for address in others() if is_open(address, store.port)] == []
    assert not is_on_every_address(store.port)


def test_what_torch_makes_by_itself_is_open_everywhere() -> None:
    """Else there would be nothing to do."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=SOON)
    assert is_on_every_address(store.port)
    assert [address for address in others() if is_open(address, store.port)] == others()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"expected an address of this machine .* 198\.51\.100\.99"
    ):
        store_of_keys("198.51.100.99", 0, SOON)


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"at port {port}.* or another --master-port"):
            store_of_keys("127.0.0.1", port, SOON)


def test_a_name_that_is_loopback_here_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Debian's 127.0.1.1 for the machine's own name: no other machine would find it."""
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.1.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(InvalidInput, match=r"it is 127\.0\.1\.1 here, which other machines"):
        store_of_keys("node-0", 0, SOON)


def test_a_name_may_come_late_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter([False, False, True])
    known = socket.getaddrinfo

    def lookup(host: str, *arguments: object, **rest: object) -> object:
        if host == "node-0" and not next(tries):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known("127.0.0.1" if host == "node-0" else host, *arguments, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(addresses, "PAUSE_S", 0.0)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    use_interface_of("node-0", 29500)
    assert next(tries, None) is None
    monkeypatch.setattr(addresses, "NAMES_MAY_COME_S", -1.0)
    tries = iter([False])
    with pytest.raises(InvalidInput, match="expected the name or address of a machine, got"):
        use_interface_of("node-0", 29500)


def test_gloo_and_nccl_are_told_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL takes a name for the beginning of one unless there is an `=` before it."""
    for name in addresses.INTERFACE_VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    use_interface_of("127.0.0.1", 29500)
    assert os.environ["GLOO_SOCKET_IFNAME"] in ("lo", "lo0")
    assert os.environ["NCCL_SOCKET_IFNAME"] == f"={os.environ['GLOO_SOCKET_IFNAME']}"


@pytest.mark.parametrize("address", [a for a in others() if not a.startswith("127.")])
def test_the_interface_is_that_of_the_address(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    for name in addresses.INTERFACE_VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    use_interface_of(address, 29500)
    chosen = os.environ["GLOO_SOCKET_IFNAME"]
    assert chosen in [name for _, name in socket.if_nameindex()]
    assert chosen not in ("lo", "lo0")


def test_what_the_administrator_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "ib0")
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "ib")
    use_interface_of("127.0.0.1", 29500)
    assert os.environ["GLOO_SOCKET_IFNAME"] == "ib0"
    assert os.environ["NCCL_SOCKET_IFNAME"] == "ib"
