"""A host in this process as the way to this machine's loopback: what QEMU's user network is for its guest.

With `--device memory` there is no machine outside the process. The second host then accepts connections and passes their
octets on to the same port of 127.0.0.1.
"""

import socket
import struct
import threading
from contextlib import suppress

from wirelaw.impl.net.host import LiveHost
from wirelaw.impl.net.tcp_sockets import TcpSocket

BLOCK = 1 << 16


def serve(host: LiveHost, port: int) -> None:
    """Relay connections to `port` of `host` to 127.0.0.1:`port`, in threads that end with the host.

    Where nobody listens there, nobody listens here: the first connection outside is made before, and kept for the first
    client, so that one is refused as QEMU's user network would refuse it.
    """
    try:
        first = _outside(port)
    except OSError:
        return
    listener = host.socket()
    listener.bind(("", port))
    listener.listen()

    def accept() -> None:
        outside: socket.socket | None = first
        try:
            while True:
                inside, _ = listener.accept()
                threading.Thread(target=_join, args=(inside, outside, port), daemon=True).start()
                outside = None
        except OSError:
            if outside is not None:
                outside.close()

    threading.Thread(target=accept, daemon=True, name="relay").start()


def _outside(port: int) -> socket.socket:
    outside = socket.create_connection(("127.0.0.1", port), timeout=10)
    outside.settimeout(None)
    return outside


def _join(inside: TcpSocket, outside: socket.socket | None, port: int) -> None:
    with inside:
        try:
            outside = outside or _outside(port)
        except OSError:  # it listened a moment ago: a reset says that something broke, where an end would say all is well
            inside.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        with outside:
            back = threading.Thread(target=_copy, args=(outside, inside), daemon=True)
            back.start()
            _copy(inside, outside)
            back.join()


def _copy(source: TcpSocket | socket.socket, target: TcpSocket | socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
