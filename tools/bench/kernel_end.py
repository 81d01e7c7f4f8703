"""The kernel's end of a benchmark: a process with plain sockets that takes or gives octets.

`python -m wirelaw.tools.bench.kernel_end ADDRESS` prints its port, then serves connections one after the other: a first
octet `u` takes octets until the end and answers with their number, `d` and 8 octets of count gives so many, `c` just closes.
"""

from __future__ import annotations

import socket
import sys

BLOCK = 1 << 20


def serve(address: str) -> None:
    """Serve until killed."""
    with socket.create_server((address, 0), backlog=1024) as server:
        print(server.getsockname()[1], flush=True)
        block = bytes(BLOCK)
        buffer = bytearray(BLOCK)
        while True:
            peer, _ = server.accept()
            with peer:
                word = peer.recv(1)
                if word == b"u":
                    count = 0
                    while got := peer.recv_into(buffer):
                        count += got
                    peer.sendall(count.to_bytes(8, "big"))
                elif word == b"d":
                    left = int.from_bytes(peer.recv(8, socket.MSG_WAITALL), "big")
                    while left > 0:
                        left -= peer.send(block[: min(left, BLOCK)])


if __name__ == "__main__":
    serve(sys.argv[1])
