"""A host in this process as the way to this machine's loopback: what QEMU's user network is for its guest.

With `--device memory` there is no machine outside the process. The second host then accepts connections and passes their
octets on to the same port of 127.0.0.1.
"""

import socket
import threading
from contextlib import suppress

from wirelaw.impl.net.host import LiveHost
from wirelaw.impl.net.streams import TcpSocket

BLOCK = 1 << 16


def serve(host: LiveHost, port: int) -> None:
    """Relay connections to `port` of `host` to 127.0.0.1:`port`, in threads that end with the host."""
    listener = host.socket()
    listener.bind(("", port))
    listener.listen()

    def accept() -> None:
        with suppress(OSError):
            while True:
                inside, _ = listener.accept()
                threading.Thread(target=_join, args=(inside, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True, name="relay").start()


def _join(inside: TcpSocket, port: int) -> None:
    with inside:
        try:
            outside = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            return
        with outside:
            outside.settimeout(None)
            back = threading.Thread(target=_copy, args=(outside, inside), daemon=True)
            back.start()
            _copy(inside, outside)
            back.join()


def _copy(source: TcpSocket | socket.socket, target: TcpSocket | socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
