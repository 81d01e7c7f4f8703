"""The command line at work: exit codes, reports as JSON, freshness of generated code, fetching and pinging."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wirelaw.oracle.capture import Packet, PcapWriter, read_packets
from wirelaw.tools.cli import main

FIXTURES = Path(__file__).parent / "fixtures"
CAPTURE = FIXTURES / "captures" / "chat-client.pcap"
TABLE = FIXTURES / "tables" / "01_pipeline"
BODY = bytes(range(256)) * 2_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def web_server() -> Iterator[int]:
    """A web server on loopback; its port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/page")
                self.end_headers()
                return
            self.send_response(200 if self.path == "/page" else 404)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_lawful_capture_is_0_and_its_report_says_who_and_what(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(CAPTURE), "--json", "r.json"]) == 0
    assert "2 ends of connections: 2 pass." in capsys.readouterr().out
    report = json.loads((folder / "r.json").read_text("utf-8"))
    assert report["capture"] == str(CAPTURE)
    for end in report["connections"]:
        assert (end["client"][0], end["server"]) == ("10.7.0.1", ["10.7.0.2", 7000])
        assert isinstance(end["client"][1], int)
        assert (end["packets"], end["verdict"], end["findings"]) == (30, "pass", [])


def violate(source: Path, target: Path) -> int:
    """Copy a capture with one acknowledgment number altered (and its checksum mended); the packet's number."""
    packets = list(read_packets(source))
    place = [i for i, p in enumerate(packets) if p.data[26:30] == bytes([10, 7, 0, 1]) and not p.data[47] & 7][4]
    with PcapWriter(target, packets[0].linktype, 262_144) as writer:
        for index, packet in enumerate(packets):
            data = bytearray(packet.data)
            if index == place:
                data[42:46] = (int.from_bytes(data[42:46], "big") + 7).to_bytes(4, "big")
            writer.write(packet.time_us, bytes(data))
    return packets[place].number


def test_an_unlawful_capture_is_1_and_its_report_names_clause_row_packet_and_what_was_expected(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = violate(CAPTURE, folder / "bad.pcap")
    assert main(["judge", "bad.pcap", "--near", "10.7.0.1", "--json", "r.json"]) == 1
    told = capsys.readouterr().out
    at = re.search(rf"FAIL at packet {number} \(\d+\.\d{{3}} s\)\n  RFC 9293 [^,]+, (MUST|MUST_NOT): \w+", told)
    assert at, "the place, and the clause with its sentence"
    assert f"  at         packet {number} (" in told
    assert "allowed    [" in told
    assert "unexplained at packet" in told, "of the far end"
    (near,) = [end for end in json.loads((folder / "r.json").read_text("utf-8"))["connections"] if end["near"]]
    assert (near["role"], near["verdict"]) == ("client", "fail")
    finding = near["findings"][0]
    assert finding["packet"] == number
    assert finding["clause"].startswith("rfc9293:")
    assert finding["level"] in {"MUST", "MUST_NOT"}
    assert finding["row"]
    assert "ack = " in finding["observed"]
    for row in finding["expected"]:
        assert row.keys() == {"row", "state", "allowed", "failed", "clause", "level", "clauses", "gate"}
        assert row["failed"]
        assert row["failed"][0].keys() == {"condition", "by"}
    assert {"clause": finding["clause"], "level": finding["level"]} in finding["clauses"]
    (far,) = [end for end in json.loads((folder / "r.json").read_text("utf-8"))["connections"] if not end["near"]]
    assert (far["verdict"], far["reason"]) == ("inconclusive", "far capture: its segments may have been lost before the capture")


DEVIATING = CAPTURE.parent / "lossy-5pct-seed4-server.pcap"


def test_what_a_kernel_is_known_for_is_told_as_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    near = ["judge", str(DEVIATING), "--near", "10.7.0.2", "-q"]
    assert main([*near, "--json", "r.json"]) == 3  # of the far end nothing is proved
    told = capsys.readouterr().out
    assert "  known      linux, forgives_a_tick" in told
    assert "  deviates as linux is known to: forgives_a_tick" in told
    (end,) = [e for e in json.loads((folder / "r.json").read_text("utf-8"))["connections"] if e["near"]]
    assert (end["verdict"], end["deviations"]) == ("warn", [{"peer": "linux", "name": "forgives_a_tick", "times": 1}])
    assert end["findings"][0]["known"]["deviation"] == "forgives_a_tick"
    assert main([*near, "--peer", "linux"]) == 3
    assert capsys.readouterr().out == told


def test_of_the_law_alone_and_of_a_peer_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    near = ["judge", str(DEVIATING), "--near", "10.7.0.2", "-q"]
    assert main([*near, "--peer", "none"]) == 1
    assert "FAIL at packet 120" in capsys.readouterr().out
    (folder / "mine.deviations").write_text(
        'deviations mine for tcp.connection { deviation lenient { "is lenient"\n'
        "instead of [paws.old] if s.tsval + 1 == ts_recent next @rfc7323:5.3/R1 SHOULD } }"
    )
    assert main([*near, "--deviations", "mine.deviations", "--peer", "mine"]) == 3
    assert "deviates as mine is known to: lenient" in capsys.readouterr().out
    assert main([*near, "--peer", "theirs"]) == 2
    assert "--peer theirs: no deviations are known of it, but of linux" in capsys.readouterr().err


def test_a_witness_is_the_connection_alone_and_shows_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = violate(CAPTURE, folder / "bad.pcap")
    packets, others = list(read_packets("bad.pcap")), read_packets(CAPTURE.with_name("refused-client.pcap"))
    with PcapWriter(folder / "two.pcap", packets[0].linktype, 262_144) as writer:
        for packet in [*packets, *others]:
            writer.write(packet.time_us, packet.data)
    assert main(["judge", "two.pcap", "--near", "10.7.0.1", "--witness", "found", "--json", "r.json"]) == 1
    (path,) = (folder / "found").glob("*.pcap")
    assert f"witness: {path.relative_to(folder)}" in capsys.readouterr().out
    assert main(["judge", str(path), "--near", "10.7.0.1"]) == 1
    assert f"FAIL at packet {number} " in capsys.readouterr().out
    assert main(["judge", "-", "--witness", "found"]) == 2
    assert "give it as a file" in capsys.readouterr().err


def test_near_an_address_that_the_capture_does_not_hold_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(CAPTURE), "--near", "10.7.0.1", "--near", "192.0.2.7", "--json", "r.json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"wirelaw judge: --near 192.0.2.7: no connection of {CAPTURE} has this address; it holds 10.7.0.1, 10.7.0.2"
    ]
    assert not (folder / "r.json").exists()


def test_a_capture_whose_file_counts_lost_packets_proves_no_violation(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    violate(CAPTURE, folder / "bad.pcap")
    (folder / "bad.pcapng").write_bytes(pcapng(list(read_packets("bad.pcap")), dropped=2))
    assert main(["judge", "bad.pcapng", "--near", "10.7.0.1", "--json", "r.json"]) == 3
    told = capsys.readouterr()
    assert "inconclusive (the capture lost 2 packets)" in told.out
    assert "the capture lost 2 packets of interface 0" in told.err
    ends = json.loads((folder / "r.json").read_text("utf-8"))["connections"]
    assert [end["reason"] for end in ends if end["near"]] == ["the capture lost 2 packets"]
    (folder / "whole.pcapng").write_bytes(pcapng(list(read_packets("bad.pcap")), dropped=0))
    assert main(["judge", "whole.pcapng", "--near", "10.7.0.1"]) == 1


def pcapng(packets: list[Packet], dropped: int) -> bytes:
    """A capture file whose statistics say that so many packets were dropped."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    made = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", packets[0].linktype, 0, 0))
    for p in packets:
        stamp = p.time_us >> 32, p.time_us & 0xFFFFFFFF
        made += block(6, struct.pack("<IIIII", 0, *stamp, len(p.data), p.original_length) + p.data)
    counts = struct.pack("<HHQ", 5, 8, dropped // 2) + struct.pack("<HHQ", 7, 8, dropped - dropped // 2)
    return made + block(5, struct.pack("<III", 0, *stamp) + counts + bytes(4))


def test_a_capture_that_proves_nothing_is_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packets = list(read_packets(CAPTURE))
    with PcapWriter(folder / "midway.pcap", packets[0].linktype, 262_144) as writer:
        for packet in packets[6:8]:
            writer.write(packet.time_us, packet.data)
    assert main(["judge", "midway.pcap"]) == 3
    assert "the opening was not captured" in capsys.readouterr().out


def test_a_capture_without_the_opening_is_judged_from_the_middle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packets = list(read_packets(CAPTURE))
    with PcapWriter(folder / "midway.pcap", packets[0].linktype, 262_144) as writer:
        for packet in packets[6:]:
            writer.write(packet.time_us, packet.data)
    assert main(["judge", "midway.pcap", "--json", "m.json"]) == 0
    assert "pass (from the middle: judged from packet " in capsys.readouterr().out
    ends = json.loads((folder / "m.json").read_text("utf-8"))["connections"]
    assert all(end["reason"].startswith("from the middle") for end in ends)


def test_a_capture_without_tcp_is_said_to_hold_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PcapWriter(folder / "arp.pcap", 1, 262_144) as writer:
        writer.write(0, bytes(12) + b"\x08\x06" + bytes(28))
    assert main(["judge", "arp.pcap"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        "wirelaw judge: arp.pcap: no TCP connection in it; judge a capture that holds at least one"
    )


def test_generate_writes_then_finds_all_fresh_then_stale(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = [f"{TABLE}.law", f"{TABLE}.profile", "-o", "."]
    assert main(["generate", *law, "--check"]) == 1
    assert not list(folder.glob("*.py")), "--check changes nothing"
    assert main(["generate", *law]) == 0
    (module,) = folder.glob("*.py")
    assert main(["generate", *law, "--check"]) == 0
    assert capsys.readouterr().out.strip().endswith("all fresh")
    module.write_text(module.read_text("utf-8") + "# touched\n", "utf-8")
    assert main(["generate", *law, "--check"]) == 1
    assert "stale: run `wirelaw generate`" in capsys.readouterr().out
    assert module.read_text("utf-8").endswith("# touched\n")


def test_fmt_check_reports_and_fmt_lays_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = folder / "t.law"
    shutil.copy(f"{TABLE}.law", law)
    assert main(["fmt", str(law)]) == 0
    assert main(["fmt", "--check", str(law)]) == 0
    law.write_text(law.read_text("utf-8").replace("  ", "      ", 1), "utf-8")
    assert main(["fmt", "--check", str(law)]) == 1
    assert main(["fmt", str(law)]) == 0
    assert main(["fmt", "--check", str(law)]) == 0
    assert "not laid out" in capsys.readouterr().out


def test_check_reports_as_json(folder: Path) -> None:
    assert main(["check", "--no-cache", f"{TABLE}.law", f"{TABLE}.profile", "--json", "c.json"]) == 2
    report = json.loads((folder / "c.json").read_text("utf-8"))
    assert report["ok"] is False
    assert len(report["diagnostics"]) == 7, "clauses that no catalogue has"
    assert (report["rows"], report["states"]) == (7, 3)


def test_ping_in_memory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "10.0.2.2", "--device", "memory", "-c", "2", "-i", "0", "--json", "p.json"]) == 0
    report = json.loads((folder / "p.json").read_text("utf-8"))
    assert (report["sent"], report["lost"], len(report["times_ms"])) == (2, 0, 2)
    assert main(["ping", "10.0.2.99", "--device", "memory", "-c", "1", "-W", "0.1"]) == 1
    assert "no reply from 10.0.2.99: seq=1" in capsys.readouterr().out


def get_page(device: str, folder: Path) -> None:
    with web_server() as port:
        assert main(["get", f"http://10.0.2.2:{port}/moved", "--device", device, "-o", "page", "--json", "g.json"]) == 0
        assert (folder / "page").read_bytes() == BODY
        report = json.loads((folder / "g.json").read_text("utf-8"))
        assert (report["status"], report["octets"]) == (200, len(BODY))
        assert report["statistics"]["rx_bytes"] > len(BODY)


def test_get_in_memory_follows_a_redirect_and_writes_the_body(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    get_page("memory", folder)
    with web_server() as port:
        assert main(["get", f"http://10.0.2.2:{port}/none", "--device", "memory", "-o", "none"]) == 2
    assert "the server answers 404 Not Found" in capsys.readouterr().err
    assert not (folder / "none").exists()


@pytest.mark.net
def test_get_over_qemu_fetches_a_page_from_loopback(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("qemu-system-aarch64") is None:
        pytest.skip("qemu-system-aarch64 is not installed")
    get_page("qemu", folder)
    port = free_port()
    assert main(["get", f"http://10.0.2.2:{port}/", "-o", "none"]) == 2
    assert f"http://10.0.2.2:{port}/: the peer " in capsys.readouterr().err
    assert not (folder / "none").exists()


def test_get_shows_the_rows_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with web_server() as port:
        assert main(["get", f"http://10.0.2.2:{port}/page", "--device", "memory", "-o", "page", "--trace"]) == 0
    told = capsys.readouterr().err
    assert "[tx.syn]" in told
    assert "[syn_sent.open]" in told
