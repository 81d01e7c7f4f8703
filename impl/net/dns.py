"""Looking up host names (RFC 1035 section 7, RFC 5452) around the generated machine: several lookups at once, and a cache.

`Query` is the surroundings of one machine, `Resolver` the tables of lookups under way and of answers remembered. Whom to
ask, for how long, and what to believe stands in spec/net/dns.law; nothing in this file looks at a machine's state.
"""

import socket
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Final

from wirelaw.impl.generated.dns_query import DnsQuery, Gone, Response
from wirelaw.impl.generated.dns_query import Query as QueryMessage
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.udp import Datagram, Udp, UdpEndpoint
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire import dns as wire
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.dns import DnsAnswer, Outcome

LONGEST_TTL: Final = 86_400
"""Seconds after which even a longer-lived record is looked up again."""

NOBODY_KNOWS: Final = DnsAnswer(Outcome.SERVER_FAILED)
"""What a lookup comes to that is given up. It has no lifetime, so it is not remembered."""

Lookup = tuple[str, int]
"""Canonical name and record type."""


def _failure(outcome: Outcome, name: str) -> OSError:
    if outcome is Outcome.NO_NAME:
        return socket.gaierror(socket.EAI_NONAME, f"{name}: no such name")
    if outcome is Outcome.NO_DATA:
        return socket.gaierror(socket.EAI_NONAME, f"{name}: the name has no address of this family")
    return socket.gaierror(socket.EAI_AGAIN, f"{name}: the DNS servers gave no usable answer")


class Query:
    """One lookup under way: its machine, port and timer, and everybody who asks for the same name meanwhile."""

    def __init__(self, resolver: "Resolver", lookup: Lookup, message: bytes, endpoint: UdpEndpoint) -> None:
        self.lookup = lookup
        self.askers: list[Future[tuple[Address, ...]]] = []
        self.endpoint = endpoint
        self.machine = DnsQuery(self)
        self._resolver = resolver
        self._message = message
        self._asked: set[Address] = set()
        self._at_hand = NOBODY_KNOWS
        self._result: DnsAnswer | None = None
        self._timer: Timer | None = None
        self._listen()

    def pump(self) -> None:
        """Let the machine do what is due; then end the lookup, or set the clock for the next time."""
        timers = self._resolver.timers
        self.machine.tick(timers.now)
        self.machine.pump(timers.now)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.machine.deadline()
        if deadline is not None:
            self._timer = timers.at(deadline, self.pump)
        result, self._result = self._result, None
        if result is not None:
            self._resolver.finish(self, result)

    def _listen(self) -> None:
        self.endpoint.receive().add_done_callback(self._received)

    def _received(self, future: "Future[Datagram]") -> None:
        if future.exception() is not None:  # the port was closed: because the lookup is over, or by the host's end
            self.machine.on_gone(Gone(), self._resolver.timers.now)
        else:
            self._listen()
            self._take(future.result())
        self.pump()

    def _take(self, datagram: Datagram) -> None:
        answer = wire.parse_answer(datagram.data, self._message)
        self._at_hand = answer or NOBODY_KNOWS
        response = Response(
            asked=datagram.src_port == wire.PORT and datagram.src in self._asked,
            matches=answer is not None,
            outcome=self._at_hand.outcome.name.lower(),
        )
        self.machine.on_response(response, self._resolver.timers.now)

    # --- what the machine asks and does -----------------------------------------------------------------------

    def ask_servers(self) -> int:
        return len(self._resolver.servers)

    def emit_query(self, o: QueryMessage) -> None:
        server = self._resolver.servers[o.server]
        self._asked.add(server)
        try:
            self.endpoint.send(self._message, server, wire.PORT)
        except OSError:  # as good as lost on the way
            self._resolver.statistics.drop("dns.send_failed")

    def tell_answered(self) -> None:
        self._result = self._at_hand

    def tell_failed(self) -> None:
        self._result = NOBODY_KNOWS

    def tell_ignored(self) -> None:
        self._resolver.statistics.drop("dns.not_an_answer")


class Resolver:
    """The DNS client of one host. Its memory is bounded: lookups under way, and answers remembered."""

    def __init__(
        self,
        udp: Udp,
        servers: tuple[Address, ...],
        queries: int,
        cache: int,
        timers: Timers,
        statistics: Statistics,
        entropy: Entropy,
    ) -> None:
        """Ask `servers` in turn; up to `queries` lookups at once, up to `cache` answers remembered."""
        self._udp = udp
        self.servers = servers
        self.timers = timers
        self.statistics = statistics
        self._query_limit = queries
        self._cache_limit = cache
        self._entropy = entropy
        self._queries: dict[Lookup, Query] = {}
        self._cache: dict[Lookup, tuple[int, DnsAnswer]] = {}

    def resolve(self, name: str, kind: int = wire.A) -> "Future[tuple[Address, ...]]":
        """The addresses of `name`, packed, in the server's order. A literal address is its own answer.

        The future fails with `socket.gaierror`: EAI_NONAME when there is no such name or address, EAI_AGAIN when no
        server gave an answer or too many lookups are under way.
        """
        future: Future[tuple[Address, ...]] = Future()
        future.set_running_or_notify_cancel()
        try:
            literal = self._literal(name, kind)
            if literal is not None:
                future.set_result((literal,))
                return future
            lookup = (wire.canonical_name(name), kind)
        except ValueError as error:
            future.set_exception(socket.gaierror(socket.EAI_NONAME, str(error)))
            return future
        remembered = self._remembered(lookup)
        if remembered is not None:
            self._settle([future], lookup, remembered)
            return future
        query = self._queries.get(lookup)
        if query is None:
            try:
                query = self._begin(lookup)
            except OSError as error:
                future.set_exception(socket.gaierror(socket.EAI_AGAIN, f"{name}: {error.strerror}"))
                return future
        query.askers.append(future)
        query.pump()
        return future

    @staticmethod
    def _literal(name: str, kind: int) -> Address | None:
        try:
            packed = ip_address(name).packed
        except ValueError:
            return None
        if len(packed) != (4 if kind == wire.A else 16):
            raise ValueError(f"{name} is an address of the other family")
        return packed

    def _begin(self, lookup: Lookup) -> Query:
        if not self.servers:
            raise OSError(0, "no DNS server is configured")
        if len(self._queries) >= self._query_limit:
            raise OSError(0, f"{self._query_limit} lookups are under way already")
        # Port and number are both random: a forger off the path must guess 30 bits (RFC 5452 9.2).
        message = wire.build_query(*lookup, self._entropy.below(1 << 16))
        query = self._queries[lookup] = Query(self, lookup, message, self._udp.bind())
        return query

    def finish(self, query: Query, answer: DnsAnswer) -> None:
        """`query` is over: remember the answer, and give it to whoever asked."""
        del self._queries[query.lookup]
        query.endpoint.close()
        self._remember(query.lookup, answer)
        self._settle(query.askers, query.lookup, answer)

    @staticmethod
    def _settle(askers: "list[Future[tuple[Address, ...]]]", lookup: Lookup, answer: DnsAnswer) -> None:
        for future in askers:
            if answer.outcome is Outcome.FOUND:
                future.set_result(answer.addresses)
            else:
                future.set_exception(_failure(answer.outcome, lookup[0]))

    def _remembered(self, lookup: Lookup) -> DnsAnswer | None:
        entry = self._cache.get(lookup)
        if entry is None:
            return None
        expiry, answer = entry
        if expiry <= self.timers.now:
            del self._cache[lookup]
            return None
        return answer

    def _remember(self, lookup: Lookup, answer: DnsAnswer) -> None:
        if answer.ttl <= 0:
            return
        while len(self._cache) >= self._cache_limit:
            del self._cache[next(iter(self._cache))]
        self._cache[lookup] = (self.timers.now + min(answer.ttl, LONGEST_TTL) * 1_000_000, answer)
