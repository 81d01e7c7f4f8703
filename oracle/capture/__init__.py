"""Captures: what the observer saw, read as a stream of packets in constant memory, and written."""

from .packet import LinkType, Packet
from .pcap import PcapWriter
from .reader import Capture, read_packets

__all__ = ["Capture", "LinkType", "Packet", "PcapWriter", "read_packets"]
