"""Requirements that rows of the law cite and that no walk can put at stake, each with what keeps them out of sight.

A row that carries such a requirement may run a thousand times without a word on it: the matrix leaves them out and the
report lists them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ONE = "one connection shows one initial number; how numbers follow each other over time is not seen"
_API = "what the application is told stays inside the host"
_CWND = "the congestion window stays in the sender; a judge holds new text to the peer's window only"
_QUEUE = "what waits in the sender's buffer, and why, is not on the wire"
_TIMES = "how long a timer was meant to run is not on the wire"
_FREE = "an acknowledgment may come at any time, so none is one too many"
_SECOND = "several segments may be acknowledged within half a second; which ones were full-sized the sender alone knows"
_QUIET = "an attempt to connect that is given up ends without a segment"
_NOTED = "a timestamp that is noted though it should not be shows in few comparisons, and none is on file"
_UNPROVEN = "no broken peer is on file whose fault would be filed under it, so a pass would prove nothing"
_WISH = "what a host would like to use is not on the wire"
_TESTER = "the tester sends no such segment"

UNSEEN: Final[Mapping[str, str]] = {
    "rfc9293:MUST-8": _ONE,
    "rfc6528:3": _ONE,
    "rfc9293:MUST-12": _API,
    "rfc9293:MUST-14": "that the option was processed shows in the size of segments, which a sending device may cut after the capture",
    "rfc9293:MUST-15": "the size of segments is no evidence: a device may cut them after the capture",
    "rfc9293:MUST-16": "the size of segments is no evidence: a device may cut them after the capture",
    "rfc9293:MUST-67": "what IP can receive and reassemble is not on the wire",
    "rfc9293:MAY-3": "leaving the option out where it may be sent is no less legal",
    "rfc9293:MUST-38": _QUEUE,
    "rfc9293:MUST-61": _QUEUE,
    "rfc9293:SHLD-7": _QUEUE,
    "rfc9293:SHLD-28": _QUEUE,
    "rfc9293:MUST-39": "how much room the receiver has is not on the wire",
    "rfc9293:MUST-58": _FREE,
    "rfc5681:4.2/one": _FREE,
    "rfc9293:SHLD-18": _FREE,
    "rfc9293:SHLD-19": _SECOND,
    "rfc5681:4.2": _SECOND,
    "rfc9293:SHLD-2": _TESTER,
    "rfc7323:2.2/syn-only": _TESTER,
    "rfc7323:3.2/tsecr-unset": "a value that is ignored leaves no trace",
    "rfc5681:3.1/initial": _CWND,
    "rfc5681:3.1/syn-ack": _CWND,
    "rfc5681:3.1/syn-lost": _CWND,
    "rfc5681:4.1": _CWND,
    "rfc6298:5.3": _TIMES,
    "rfc6298:5.7": _TIMES,
    "rfc9293:SHLD-29": _TIMES,
    "rfc2018:8": "text that is held until it is acknowledged shows only after a receiver has gone back on its word",
    "rfc9293:MAY-1": "the two ways to close look alike until something arrives",
    "rfc9293:MAY-12": "an acknowledgment may come at any time, so the check leaves no trace of its own",
    "rfc9293:3.10.7.4/fifth/data-injection": "the check is optional (MAY-12), and an acknowledgment may come at any time",
    "rfc5961:5.2": "the check is optional (MAY-12), and an acknowledgment may come at any time",
    "rfc9293:MUST-47": _API,
    "rfc9293:SHLD-25": _API,
    "rfc9293:3.9.1.8": _API,
    "rfc9293:3.10.4/SYN-SENT": _QUIET,
    "rfc9293:3.10.5/SYN-SENT": _QUIET,
    "rfc7323:5.3/R2": _NOTED,
    "rfc7323:3.2/unasked": _NOTED,
    "rfc7323:3.2/rst": _UNPROVEN,
    "rfc9293:3.10.7.4/seventh/CLOSE-WAIT": _UNPROVEN,
    "rfc7323:2.4/rounding": "a window may fall by less than one unit of its scale or not, and how ours is rounded only the sender knows",
    "rfc7323:2.4/track": "what a receiver keeps in mind is not on the wire",
    "rfc7323:2.2/prepared": _WISH,
    "rfc7323:2.3/answer": _WISH,
    "rfc3168:6.1.1/unwilling": _WISH,
    "rfc7323:5.2/rst-state": _NOTED,
    "rfc5927:4.1": _UNPROVEN,
    "rfc5927:5.2": "an open connection may bear a hard error or end by it",
    "rfc5927:5.2/told": _API,
    "rfc7323:2.2/reply": _UNPROVEN,
    "rfc9293:MUST-26": _UNPROVEN,
    "rfc9293:3.8.6.1": _UNPROVEN,
}
