"""`wirelaw bench`: figures, measured side by side in one run."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from wirelaw.conformance.netns import missing_means
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.runtime.errors import MissingMeans
from wirelaw.tools.bench import desk, network
from wirelaw.tools.bench.fuzz import fuzz
from wirelaw.tools.verbs.output import write_json
from wirelaw.tools.verbs.quantities import scale
from wirelaw.tools.verbs.teaching import INTERRUPTED, add_json, add_verb

MB = 1_000_000


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `bench`."""
    bench = add_verb(
        verbs,
        "bench",
        "Figures vary with the machine; ratios within one run are what counts. What lacks its means is skipped, with the reason.",
        [
            ("bench tcp", "everything; takes minutes"),
            ("bench tcp --only judge --only law", "only these figures"),
            ("bench tcp --scale 0.1 --json figures.json", "a quick look, kept as JSON"),
        ],
        {0: "measured", **INTERRUPTED},
    )
    bench.add_argument("what", choices=("tcp",))
    bench.add_argument("--only", choices=("network", "link", "judge", "law", "fuzz"), action="append", help="only these figures")
    bench.add_argument("--scale", type=scale, default=1.0, help="multiply all sizes by this (0.1 for a quick look)")
    add_json(bench, "the figures")
    bench.set_defaults(run=run_bench)


def run_bench(options: argparse.Namespace) -> int:
    """`wirelaw bench tcp`."""
    interrupted = False
    chosen = options.only or ["network", "link", "judge", "law", "fuzz"]
    console = Console()
    table = Table("figure", "value", "beside", title=f"{platform.platform()}, Python {platform.python_version()}")
    found: dict[str, Any] = {}
    parts: dict[str, Callable[[float], Iterator[tuple[str, Any, str, str]]]] = {
        "network": _network, "link": _link, "judge": _judge, "law": _law, "fuzz": _fuzz,
    }  # fmt: skip
    try:
        for part in chosen:
            with console.status(f"measuring: {part}"):
                for key, value, shown, beside in parts[part](options.scale):
                    found[key] = value
                    table.add_row(key, shown, beside)
    except KeyboardInterrupt:
        interrupted = True
        console.print("interrupted: what was measured so far")
    console.print(table)
    write_json(options.json, found)
    return 130 if interrupted else 0


def _network(scale: float) -> Iterator[tuple[str, Any, str, str]]:
    reason = missing_means(tap=True)
    if reason:
        yield "network", None, "skipped", reason
        return
    base = network.iperf()
    yield "iperf3 over veth", base, f"{base:.0f} MB/s" if base else "not installed", "apt-get install iperf3" if base is None else ""
    cases = [("qemu", True, 1000), ("qemu", False, 60), ("tap", True, 1000), ("tap", False, 60)]
    for device, offload, size in cases:
        name = f"{device}, {'TSO and checksum offload' if offload else 'no offload'}"
        try:
            rates = network.bulk(device, offload, int(size * scale) * MB)
        except MissingMeans as error:
            yield name, None, "skipped", str(error)
            continue
        for way, rate in rates.items():
            yield f"{name}, {way}", rate, f"{rate:.0f} MB/s", f"{rate / base:.2f} x iperf3" if base and offload else ""
    rate = network.connection_rate(int(2000 * scale))
    yield "connect and close over TAP", rate, f"{rate:.0f} a second", ""


def _link(scale: float) -> Iterator[tuple[str, Any, str, str]]:
    moved = desk.transfer(int(100 * scale) * MB, Faults(loss=0.02, duplicate=0.02, reorder=0.02, corrupt=0.02))
    text = f"{moved['MB']:.0f} MB intact in {moved['seconds']:.1f} s"
    yield "faulty link (2 % each)", moved, text, f"{moved['struck']:.0f} of {moved['frames']:.0f} frames struck"


def _judge(scale: float) -> Iterator[tuple[str, Any, str, str]]:
    for size in (20, 80):
        rate = desk.judge_rate(int(size * scale) * MB)
        beside = f"{rate['packets']:,.0f} packets, both ends, memory +{rate['memory_grown_MB']:.0f} MB"
        yield f"judge, {size * scale:.0f} MB", rate, f"{rate['packets_per_second']:,.0f} packets/s", beside


def _law(_: float) -> Iterator[tuple[str, Any, str, str]]:
    for name, seconds in desk.commands().items():
        yield f"wirelaw {name.replace('_', ' ')}", seconds, f"{seconds:.1f} s", "whole process"


def _fuzz(scale: float) -> Iterator[tuple[str, Any, str, str]]:
    result = fuzz(int(200_000 * scale), seed=1)
    value = {"frames": result.frames, "ok": result.ok, "seconds": result.seconds, "memory_grown": result.peak, "failures": result.failures}
    text = f"{result.frames:,} frames in {result.seconds:.1f} s"
    beside = f"{len(result.failures)} exceptions, {result.left} connections left, memory +{result.peak / 1e6:.0f} MB"
    yield "mutated frames", value, text, beside
