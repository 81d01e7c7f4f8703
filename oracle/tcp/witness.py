"""Witnesses of findings: the packets of one connection out of a capture, as a capture of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from wirelaw.oracle.capture import Packet, PcapWriter
from wirelaw.oracle.tcp.segments import Demultiplexer, observe


def save_connections(packets: Iterable[Packet], wanted: Mapping[int, Path]) -> None:
    """Write the packets of each connection in `wanted` (its number -> a file to write) of those in `packets`.

    The connections are numbered as when they were judged. Of a packet in fragments only the last one is kept.
    """
    demultiplexer = Demultiplexer()
    current: list[Packet] = []

    def passing() -> Iterable[Packet]:
        for packet in packets:
            current[:] = [packet]
            yield packet

    with ExitStack() as files:
        writers: dict[int, PcapWriter] = {}
        for connection, _ in observe(passing(), demultiplexer):
            n = connection.number
            if n in wanted:
                packet = current[0]
                if n not in writers:
                    writers[n] = files.enter_context(PcapWriter(wanted[n], packet.linktype))
                writers[n].write(packet.time_us, packet.data, packet.original_length)
