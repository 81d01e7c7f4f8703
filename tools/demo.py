"""`make demo`: the whole of Wirelaw in a few minutes, with what the machine at hand has."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from wirelaw.tools.cli import main as wirelaw

REPORT = Path("report")
PAGE = b"<!doctype html><title>Wirelaw</title><p>This page came through a TCP generated from RFC 9293's tables.</p>\n" * 2000
console = Console()


class _Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return


@contextmanager
def web_server() -> Iterator[int]:
    """A web server on a free port of the loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def step(title: str, action: Callable[[], int], allowed: tuple[int, ...] = (0,)) -> bool:
    """Run one step under its title; whether it ended as it should."""
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    code = action()
    good = code in allowed
    console.print(f"[dim]{'done' if good else f'exit code {code}'} in {time.monotonic() - began:.1f} s")
    return good


def own_stack_conforms() -> bool:
    """Whether no clause failed for our own stack. What fails for other people's is a result of the demo, not its failure."""
    path = REPORT / "results.json"
    peers = json.loads(path.read_text("utf-8"))["peers"] if path.exists() else []
    broken = {p["name"]: c for p in peers if p["name"].startswith("wirelaw") for c, standing in p["clauses"].items() if standing == "FAIL"}
    for name, clause in broken.items():
        console.print(f"[bold red]{name} breaks {clause}: a defect of Wirelaw")
    return path.exists() and not broken


def main() -> int:
    """Run all steps; 0 when each did what it should."""
    REPORT.mkdir(exist_ok=True)
    run = functools.partial(lambda *words: wirelaw(list(words)))
    device = "qemu" if shutil.which("qemu-system-aarch64") else "memory"
    if device == "memory":
        console.print("qemu-system-aarch64 is not installed (Debian: qemu-system-arm): the device model of this process takes its place")
    capture = REPORT / "page.pcap"
    good = [
        step("1. The law is sound", lambda: run("check")),
        step("2. The implementation is what the law says", lambda: run("generate", "--check")),
    ]
    with web_server() as port:
        fetch = [
            "get",
            "--device",
            device,
            f"http://10.0.2.2:{port}/",
            "-o",
            str(REPORT / "page.html"),
            "--json",
            str(REPORT / "page.json"),
        ]
        record = ["--capture", str(capture)] if device == "qemu" else []
        good.append(step(f"3. A page from a web server, through our TCP on a virtio device ({device})", lambda: run(*fetch, *record)))
    if capture.exists():
        judge = ["judge", str(capture), "--near", "10.0.2.15", "--json", str(REPORT / "page.judge.json")]
        good.append(step("4. The same law judges what was captured there", lambda: run(*judge), (0, 3)))
    conform = ["conform", "tcp", "--budget", "60", "--out", str(REPORT)]
    good.append(step("5. Conformance: the peers that are here, clause by clause", lambda: run(*conform), (0, 1, 3)))
    good.append(own_stack_conforms())
    fmt = "svg" if shutil.which("dot") else "dot"
    picture, taken = str(REPORT / f"tcp.{fmt}"), str(REPORT / f"tcp-coverage.{fmt}")
    results = str(REPORT / "results.json")
    good.append(step("6. The picture of the law", lambda: run("draw", "tcp", "-o", picture)))
    good.append(step("7. The same, with what the walks took", lambda: run("draw", "tcp", "--coverage", results, "-o", taken)))
    console.rule("[bold]Where to look", align="left")
    for path in sorted(REPORT.iterdir()):
        console.print(f"  {path}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
