"""Both ends of NAME, around the machines that `wirelaw generate law -o generated` writes.

The machines decide. What surrounds one (its host) carries octets and keeps the clock: `on_...` gives it a message, `pump` lets it send,
`tick` tells it that time has passed, `deadline` is when it wants to be told next. Times are microseconds.

    python runner.py serve --port 4000
    python runner.py ask "where are you" --port 4000
"""

from __future__ import annotations

import argparse
import secrets
import socket
import struct
import sys
import time
from typing import Any

from generated import NAME_client, NAME_server

HEADER = struct.Struct("!BI")
QUESTION, ANSWER = 1, 2


class Client:
    """Asks one question. `answer` is the text that came, `failed` that none did; `out` holds datagrams to carry away."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.out: list[bytes] = []
        self.answer: bytes | None = None
        self.failed = False
        self._at_hand = b""
        self.machine = NAME_client.CLASSClient(self)

    def input(self, octets: bytes, now: int) -> None:
        """A datagram came."""
        if len(octets) >= HEADER.size and octets[0] == ANSWER:
            _, number = HEADER.unpack_from(octets)
            self._at_hand = octets[HEADER.size :]
            self.machine.on_answer(NAME_client.Answer(id=number), now)
            self.machine.pump(now)

    def poll(self, now: int) -> None:
        """Do what is due."""
        self.machine.tick(now)
        self.machine.pump(now)

    def deadline(self) -> int | None:
        """When `poll` has something to do."""
        at: int | None = self.machine.deadline()
        return at

    def ask_fresh(self) -> int:
        return secrets.randbits(32)

    def emit_question(self, o: Any) -> None:
        self.out.append(HEADER.pack(QUESTION, o.id) + self.text)

    def tell_answered(self) -> None:
        self.answer = self._at_hand

    def tell_gave_up(self) -> None:
        self.failed = True


class Server:
    """Answers questions."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self._at_hand = b""
        self.machine = NAME_server.CLASSServer(self)

    def input(self, octets: bytes, now: int) -> None:
        """A datagram came."""
        if len(octets) >= HEADER.size and octets[0] == QUESTION:
            _, number = HEADER.unpack_from(octets)
            self._at_hand = octets[HEADER.size :]
            self.machine.on_question(NAME_server.Question(id=number), now)
            self.machine.pump(now)

    def emit_answer(self, o: Any) -> None:
        self.out.append(HEADER.pack(ANSWER, o.id) + self._at_hand.upper())


def now_us() -> int:
    return time.monotonic_ns() // 1000


def serve(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", port))
        print(f"serving on UDP port {wire.getsockname()[1]} of 127.0.0.1", flush=True)
        server = Server()
        while True:
            octets, source = wire.recvfrom(65_535)
            server.input(octets, now_us())
            for out in server.out:
                wire.sendto(out, source)
            server.out.clear()


def ask(port: int, text: str) -> int:
    client = Client(text.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        while client.answer is None and not client.failed:
            client.poll(now_us())
            for out in client.out:
                try:
                    wire.send(out)
                except OSError:  # nobody there: as good as lost, and the law says what then
                    pass
            client.out.clear()
            at = client.deadline()
            wire.settimeout(max((at or now_us()) - now_us(), 1) / 1e6)
            try:
                client.input(wire.recv(65_535), now_us())
            except OSError:
                continue
    print(client.answer.decode() if client.answer is not None else "no answer")
    return 0 if client.answer is not None else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("serve", "ask"))
    parser.add_argument("text", nargs="?", default="hello")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    sys.exit(serve(options.port) if options.what == "serve" else ask(options.port, options.text))
