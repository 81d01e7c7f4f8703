"""Captures: what the observer saw, read as a stream of packets in constant memory, and written."""

from wirelaw.oracle.capture.packet import LinkType, Packet
from wirelaw.oracle.capture.pcap import PcapWriter
from wirelaw.oracle.capture.reader import Capture, read_packets
from wirelaw.oracle.capture.stream import counted

__all__ = ["Capture", "LinkType", "Packet", "PcapWriter", "counted", "read_packets"]
