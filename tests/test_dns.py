"""Looking up names: answers, aliases, failures, retries, forgeries, the cache and its bounds (RFC 1035, 2308, 5452)."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net import Host, HostConfig, VirtualHost
from wirelaw.impl.net.config import VIPERDOS
from wirelaw.impl.net.lan import Lan
from wirelaw.impl.net.udp import Datagram, UdpEndpoint
from wirelaw.impl.wire.dns import AAAA, A, build_query, canonical_name, parse_answer

SERVER, BACKUP = "10.0.2.3", "10.0.2.4"
Respond = Callable[[dns.message.Message], dns.message.Message | bytes | None]


class Server:
    """A DNS server on a virtual host: `respond` turns each query into the answer, or None for silence."""

    def __init__(self, address: str, respond: Respond) -> None:
        last = int(address.rsplit(".", 1)[1])
        self.host = Host.virtual(HostConfig(mac=bytes((0x52, 0x54, 0, 0, 0, last)), ip=IPv4Address(address)))
        self.respond = respond
        self.queries: list[dns.message.Message] = []
        self.ports: list[int] = []
        self.endpoint: UdpEndpoint = self.host.stack.udp.bind(53)
        self.host.stack.pumps.append(self._serve)

    def _serve(self) -> None:
        while (datagram := self.endpoint.take()) is not None:
            self._answer(datagram)

    def _answer(self, datagram: Datagram) -> None:
        query = dns.message.from_wire(datagram.data)
        self.queries.append(query)
        self.ports.append(datagram.src_port)
        response = self.respond(query)
        if response is not None:
            data = response if isinstance(response, bytes) else response.to_wire()
            self.endpoint.send(data, datagram.src, datagram.src_port)


def answer(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, authority: str = "", flags: int = 0) -> Respond:
    def respond(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        response.flags |= flags
        for record in records:
            name, ttl, kind, value = record.split()
            response.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, value))
        if authority:
            response.authority.append(dns.rrset.from_text("example.", 30, "IN", "SOA", authority))
        return response

    return respond


def silence(query: dns.message.Message) -> None:
    return None


def world(*responders: Respond, faults: Faults | None = None, **changes: object) -> tuple[VirtualHost, list[Server], Lan]:
    servers = [Server(address, respond) for address, respond in zip((SERVER, BACKUP), responders, strict=False)]
    addresses = tuple(server.host.config.ip for server in servers)
    host = Host.virtual(HostConfig(dns=addresses).with_(**changes), seed=5)
    return host, servers, Lan(host, *(server.host for server in servers), faults=faults, seed=3)


def packed(*addresses: str) -> tuple[bytes, ...]:
    return tuple(IPv4Address(address).packed for address in addresses)


def test_addresses_are_found_and_remembered_for_their_time() -> None:
    host, (server,), lan = world(answer("web.example. 30 A 192.0.2.1", "web.example. 30 A 192.0.2.2"))
    for name in ("web.example", "WEB.example."):
        found = host.resolve(name)
        lan.run(0.1)
        assert sorted(found.result(0)) == list(packed("192.0.2.1", "192.0.2.2"))
    assert len(server.queries) == 1
    lan.run(30)
    host.resolve("web.example")
    lan.run(0.1)
    assert len(server.queries) == 2


def test_ipv6_addresses_are_looked_up_by_their_own_type() -> None:
    host, (server,), lan = world(answer("web.example. 30 AAAA 2001:db8::7"))
    found = host.resolve("web.example", socket.AF_INET6)
    lan.run(0.1)
    assert found.result(0) == (socket.inet_pton(socket.AF_INET6, "2001:db8::7"),)
    assert [int(query.question[0].rdtype) for query in server.queries] == [AAAA]
    with pytest.raises(OSError, match="AF_INET or AF_INET6"):
        host.resolve("web.example", socket.AF_UNIX)


def test_aliases_are_followed() -> None:
    host, _, lan = world(answer("www.example. 30 CNAME a.example.", "a.example. 9 CNAME b.example.", "b.example. 50 A 192.0.2.9"))
    found = host.resolve("www.example")
    lan.run(0.1)
    assert found.result(0) == packed("192.0.2.9")


def test_literal_addresses_are_their_own_answer() -> None:
    host, (server,), _ = world(silence)
    assert host.resolve("192.0.2.1").result(0) == packed("192.0.2.1")
    assert len(host.resolve("2001:db8::1", socket.AF_INET6).result(0)[0]) == 16
    with pytest.raises(socket.gaierror, match="other family"):
        host.resolve("2001:db8::1").result(0)
    assert server.queries == []


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", ".".join(["abcdefgh"] * 40)])
def test_names_that_cannot_exist_are_not_asked_for(name: str) -> None:
    host, (server,), lan = world(silence)
    with pytest.raises(socket.gaierror) as caught:
        host.resolve(name).result(0)
    assert caught.value.errno == socket.EAI_NONAME
    lan.run(1)
    assert server.queries == []


SOA = "ns.example. admin.example. 1 2 3 4 20"


@pytest.mark.parametrize(
    ("respond", "asked"),
    [
        (answer(rcode=dns.rcode.NXDOMAIN, authority=SOA), 1),
        (answer(authority=SOA), 1),
        (answer(rcode=dns.rcode.NXDOMAIN), 2),
    ],
)
def test_missing_names_fail_and_are_remembered_where_the_zone_says_how_long(respond: Respond, asked: int) -> None:
    host, (server,), lan = world(respond)
    for _ in range(2):
        found = host.resolve("nothing.example")
        lan.run(0.1)
        with pytest.raises(socket.gaierror) as caught:
            found.result(0)
        assert caught.value.errno == socket.EAI_NONAME
    assert len(server.queries) == asked
    lan.run(21)
    host.resolve("nothing.example")
    lan.run(0.1)
    assert len(server.queries) == asked + 1


def test_silence_is_met_with_growing_patience_then_failure() -> None:
    host, (server,), lan = world(silence)
    found, times = host.resolve("web.example"), []
    while not found.done():
        lan.run(0.1)
        if len(server.queries) > len(times):
            times.append(round(lan.now / 1e6))
    assert times == [0, 1, 3, 7]
    with pytest.raises(socket.gaierror) as caught:
        found.result(0)
    assert caught.value.errno == socket.EAI_AGAIN
    assert host.statistics.udp_sockets == 0


@pytest.mark.parametrize("first", [silence, answer(rcode=dns.rcode.SERVFAIL), answer(flags=dns.flags.TC)])
def test_another_server_is_asked_when_the_first_fails(first: Respond) -> None:
    host, servers, lan = world(first, answer("web.example. 30 A 192.0.2.1"))
    found = host.resolve("web.example")
    lan.run(1.5)
    assert found.result(0) == packed("192.0.2.1")
    assert [len(server.queries) for server in servers] == [1, 1]


def test_several_lookups_at_once_and_one_query_for_the_same_name() -> None:
    def respond(query: dns.message.Message) -> dns.message.Message:
        name = query.question[0].name.to_text()
        return answer(f"{name} 30 A 192.0.2.{len(name)}")(query)

    host, (server,), lan = world(respond)
    names = ["x" * length + ".example" for length in range(1, 9)]
    found = [host.resolve(name) for name in names * 3]
    lan.run(0.1)
    assert [future.result(0)[0][3] for future in found] == [len(name) + 1 for name in names] * 3
    assert len(server.queries) == 8
    assert len({query.id for query in server.queries}) == 8
    assert len(set(server.ports)) == 8


def test_answers_survive_a_bad_network() -> None:
    faults = Faults(loss=0.1, duplicate=0.2, reorder=0.2)
    host, _, lan = world(answer("web.example. 0 A 192.0.2.1"), faults=faults)
    for _ in range(20):
        found = host.resolve("web.example")
        lan.run_until(found.done, 12)
        assert found.result(0) == packed("192.0.2.1")


def wrong_id(query: dns.message.Message) -> dns.message.Message:
    response = answer("web.example. 30 A 6.6.6.6")(query)
    assert isinstance(response, dns.message.Message)
    response.id ^= 1
    return response


def other_question(query: dns.message.Message) -> dns.message.Message:
    return dns.message.make_response(dns.message.make_query("evil.example", "A", id=query.id))


@pytest.mark.parametrize("forged", [wrong_id, other_question, lambda query: b"garbage", lambda query: query.to_wire()])
def test_messages_that_do_not_answer_the_query_are_ignored(forged: Respond) -> None:
    answers = iter([forged, answer("web.example. 30 A 192.0.2.1")])

    def respond(query: dns.message.Message) -> dns.message.Message | bytes | None:
        return next(answers)(query)

    host, _, lan = world(respond)
    found = host.resolve("web.example")
    lan.run(0.5)
    assert not found.done()
    assert host.statistics.drops["dns.not_an_answer"] == 1
    lan.run(1)
    assert found.result(0) == packed("192.0.2.1")


def test_only_the_servers_are_believed() -> None:
    host, (server,), lan = world(silence)
    found = host.resolve("web.example")
    lan.run(0.1)
    reply = answer("web.example. 30 A 6.6.6.6")(server.queries[0])
    assert isinstance(reply, dns.message.Message)
    stranger = server.host.stack.udp.bind(5353)
    stranger.send(reply.to_wire(), host.config.ip.packed, server.ports[0])
    lan.run(0.1)
    assert not found.done()
    assert host.statistics.drops["dns.not_an_answer"] == 1


def test_a_server_is_believed_once_it_was_asked() -> None:
    """RFC 5452 9.1: a response comes from where its query went to."""
    host, (first, second), lan = world(silence, silence)
    found = host.resolve("web.example")
    lan.run(0.1)
    reply = answer("web.example. 30 A 192.0.2.1")(first.queries[0])
    assert isinstance(reply, dns.message.Message)
    second.endpoint.send(reply.to_wire(), host.config.ip.packed, first.ports[0])
    lan.run(0.1)
    assert not found.done()
    assert host.statistics.drops["dns.not_an_answer"] == 1
    lan.run(1)
    second.endpoint.send(reply.to_wire(), host.config.ip.packed, first.ports[0])
    lan.run(0.1)
    assert found.result(0) == packed("192.0.2.1")


def test_lookups_under_way_fail_when_the_host_ends() -> None:
    host, _, lan = world(silence)
    found = [host.resolve("web.example"), host.resolve("web.example"), host.resolve("mail.example")]
    lan.run(0.1)
    host.stack.close()
    assert [future.exception(0).errno for future in found] == [socket.EAI_AGAIN] * 3  # type: ignore[union-attr]
    assert host.statistics.udp_sockets == 0


def test_lookups_and_cache_are_bounded() -> None:
    host, _, lan = world(silence, limits=VIPERDOS)
    found = [host.resolve(f"n{index}.example") for index in range(20)]
    assert sum(future.done() for future in found) == 20 - VIPERDOS.dns_queries
    lan.run(12)
    assert all(future.done() for future in found)

    def respond(query: dns.message.Message) -> dns.message.Message | bytes | None:
        return answer(f"{query.question[0].name} 3600 A 192.0.2.1")(query)

    host, _, lan = world(respond, limits=VIPERDOS)
    for index in range(100):
        host.resolve(f"n{index}.example")
        lan.run(0.01)
    assert len(host.stack.dns._cache) == VIPERDOS.dns_cache


def test_without_a_server_lookups_fail_at_once() -> None:
    with pytest.raises(socket.gaierror, match="no DNS server"):
        Host.virtual(HostConfig(dns=())).resolve("web.example").result(0)


@settings(deadline=None)
@given(st.data())
def test_mutated_answers_are_answers_or_nothing(data: st.DataObject) -> None:
    query = build_query("web.example.", A, 7)
    response = answer("web.example. 30 CNAME b.example.", "b.example. 5 A 192.0.2.1")(dns.message.from_wire(query))
    assert isinstance(response, dns.message.Message)
    octets = bytearray(response.to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    parsed = parse_answer(bytes(octets[: data.draw(st.integers(0, len(octets)))]), query)
    assert parsed is None or (0 <= parsed.code < 4096 and all(len(a) == 4 for a in parsed.addresses))
    assert parse_answer(data.draw(st.binary(max_size=100)), query) is None


def test_names_have_one_canonical_form() -> None:
    assert canonical_name("Web.Example") == canonical_name("web.example.") == "web.example."
