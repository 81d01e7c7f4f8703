"""The clock of a host in real time."""

from __future__ import annotations

import time

from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.host import Host


def test_what_a_call_begins_it_begins_now_and_not_when_the_host_last_looked_at_the_clock() -> None:
    with Host.on("memory", HostConfig.of("10.9.0.2/24"), peer=HostConfig.of("10.9.0.3/24", mac="52:54:00:00:00:03")) as host:
        for pause in (0.0, 0.02, 0.07):
            time.sleep(pause)
            before = time.monotonic_ns() // 1000
            assert before <= host.call(lambda: host.stack.now) <= time.monotonic_ns() // 1000
