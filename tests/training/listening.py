"""One of several processes of a training, which tells where it and its parent listen.

Its argument is a folder for the answers. It runs on Linux alone.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from pathlib import Path

from nasoa.training.processes import process_group

LISTENS = "0A"


def listening(pid: int) -> list[tuple[str, int]]:
    """Addresses and ports on which a process listens."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(link) if link.is_symlink() else ""
        if target.startswith("socket:["):
            sockets.add(target[len("socket:[") : -1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and fields[9] in sockets:
                digits, port = fields[1].split(":")
                found.append((address(digits), int(port, 16)))
    return found


def address(digits: str) -> str:
    """An address of the kernel's table, which has each four bytes in the machine's own order."""
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def is_open(host: str, port: int) -> bool:
    """Whether somebody answers there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def others() -> list[str]:
    """Addresses of this machine other than 127.0.0.1: Linux's, and those it reaches others from."""
    found = {"127.0.0.2"}
    for target in ("192.0.2.1", "2001:db8::1"):
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
            except OSError:
                continue
            found.add(probe.getsockname()[0])
    return sorted(found)


def main(folder: Path) -> None:
    """Join the others, exchange a value, and write down who listens where, and what is open."""
    with process_group() as processes:
        total = processes.total(1)
        told = processes.gathered(listening(os.getpid()))
        if processes.is_first:
            of_processes = [listener for group in told for listener in group]
            listeners = [*of_processes, *listening(os.getppid())]
            answer = {
                "total": total,
                "of_processes": of_processes,
                "listeners": listeners,
                "open": [
                    (host, port)
                    for host in others()
                    for _, port in listeners
                    if is_open(host, port)
                ],
            }
            (folder / "answer.json").write_text(json.dumps(answer))
        processes.together(lambda: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
