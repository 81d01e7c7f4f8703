"""What the bench knows of the law of TCP by name. All else it reads from the shape of the rows.

Another protocol would come with another such file, and with a `Composer.neutral` of its own: the message of a peer that has
nothing to say.
"""

from __future__ import annotations

from typing import Final

MACHINE: Final = "tcp.connection"
MESSAGE: Final = "seg"
TROUBLE: Final = "trouble"
"""The messages a tester sends: segments, and ICMP errors."""

SYNCED: Final = "SYNCED"
"""The group of states in which sequence numbers of both sides are known."""
OPEN: Final = "OPEN"
"""The group of states in which a connection is open, or once was."""
CLOSED: Final = "CLOSED"
BEFORE: Final = {"server": "LISTEN", "client": CLOSED}
"""The state of a peer of either role before the first packet."""

OPENING: Final = {"server": "open_passive", "client": "open_active"}
USER_CALLS: Final = ("send", "receive", "close", "leave", "abort", "push")
"""Calls on a session that was opened; it is opened once."""

SEQ_BASES: Final = ("rcv_nxt", "rcv_edge")
ACK_BASES: Final = ("snd_nxt", "snd_una", "snd_edge")
"""Variables of the judged end that a tester's numbers are written relative to."""

OTHER_STATES: Final = (CLOSED, "ESTABLISHED", "TIME_WAIT")
"""Where a mutant goes instead."""
