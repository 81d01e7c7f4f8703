"""Our server behind a descriptor, for `wirelaw conform`. Write such a program, in any language, around the implementation you test.

    wirelaw conform NAME.server --law law --adapter adapter.py --agent "python agent.py"

Descriptor 3 is a UNIX SEQPACKET socket. Each message on it is the letter F and a datagram, in both directions.
"""

from __future__ import annotations

import socket

from runner import Server, now_us

if __name__ == "__main__":
    wire = socket.socket(fileno=3)
    server = Server()
    while message := wire.recv(65_536):
        if message[:1] == b"F":
            server.input(message[1:], now_us())
            for out in server.out:
                wire.send(b"F" + out)
            server.out.clear()
