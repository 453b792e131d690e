"""Run torchrun with a key-value store that listens on one address only.

    python -m nasoa.training.torchrun --nproc-per-node 8 -m nasoa zoo build ...

Options and environment variables (PET_*) are those of torchrun. The store listens on loopback if
there is one machine, otherwise on the address of the first machine, which --master-addr names. With
torchrun itself it listens on all addresses, and whoever can connect can run code in the processes
(docs/security.md).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import record
from torch.distributed.elastic.rendezvous import (
    RendezvousInfo,
    RendezvousParameters,
    rendezvous_handler_registry,
)
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous

from nasoa.errors import InvalidInput
from nasoa.training.addresses import LOOPBACK, store_of_keys

BACKEND = "nasoa"
PORT = 29500  # torchrun's own
MEETING_S = 1800  # the nodes of a cluster may start at different times


class BoundRendezvous(StaticTCPRendezvous):
    """The static rendezvous of torchrun with a key-value store that listens on one address."""

    def get_backend(self) -> str:
        """See `RendezvousHandler.get_backend`."""
        return BACKEND

    def next_rendezvous(self) -> RendezvousInfo:
        """See `RendezvousHandler.next_rendezvous`."""
        if self._store is None and self.rank == 0:
            store = store_of_keys(self.master_addr, self.master_port, self.timeout)
            self._store, self.master_port = store, store.port
        return super().next_rendezvous()


def launch(arguments: Sequence[str]) -> None:
    """Start processes as torchrun does with these arguments, and wait until they have ended.

    Raises:
        InvalidInput: the arguments name another rendezvous, or this machine cannot listen on the
            address.
    """
    args = run.parse_args(list(arguments))
    nodes, most_nodes = run.parse_min_max_nnodes(args.nnodes)
    if nodes != most_nodes or args.rdzv_backend != "static" or args.rdzv_endpoint:
        raise InvalidInput(
            "expected a fixed number of nodes that meet at --master-addr, got "
            f"--nnodes {args.nnodes} and --rdzv-backend {args.rdzv_backend} "
            f"{args.rdzv_endpoint!r}; give --nnodes N, --node-rank and --master-addr"
        )
    alone = nodes == 1
    host = LOOPBACK if alone else args.master_addr
    port = args.master_port or (0 if alone else PORT)
    rank = 0 if alone else args.node_rank

    def meeting(parameters: RendezvousParameters) -> BoundRendezvous:
        return BoundRendezvous(host, port, rank, nodes, parameters.run_id, MEETING_S)

    rendezvous_handler_registry.register(BACKEND, meeting)
    # torchrun would choose or configure its own rendezvous by these.
    args.standalone, args.node_rank = False, 0
    args.rdzv_backend, args.rdzv_endpoint = BACKEND, f"{host}:{port}"
    run.run(args)


@record
def main() -> None:
    """Launch the processes; invalid input is reported in one line, with exit code 2."""
    try:
        launch(sys.argv[1:])
    except InvalidInput as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
