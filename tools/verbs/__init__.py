"""The verbs of the `wirelaw` command. Their table stands here, so that a list of them loads none."""

from __future__ import annotations

VERBS = {
    "new": ("new", "start a protocol of your own: a small project that passes its own test"),
    "check": ("check", "prove a law sound: no two rows overlap, none is missing, every MUST is cited"),
    "fmt": ("law", "lay out law files: columns aligned, comments kept"),
    "generate": ("law", "write the implementation that a law and a profile determine"),
    "draw": ("draw", "draw the states of a machine and the rows between them"),
    "judge": ("judge", "judge the TCP connections of a capture (pcap, pcapng)"),
    "conform": ("conform", "walk peers through the law and say, clause by clause, where they stand"),
    "peers": ("conform", "list the peers, and what would install those that are missing"),
    "replay": ("conform", "play a witness again, and say what is observed this time"),
    "netd": ("run", "run our stack on a device until interrupted"),
    "ping": ("run", "send ICMP echo requests through our stack"),
    "get": ("run", "fetch an http URL through our own TCP"),
    "bench": ("bench", "measure: throughput against the kernel, a faulty link, the judge, checking"),
}
"""Verb -> the module of this package that makes it, and what it is for."""
