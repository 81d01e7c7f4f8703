"""Looking up host names (RFC 1035 section 7, RFC 5452): a stub resolver with several lookups at once and a cache."""

import socket
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Final

from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.udp import Datagram, Udp, UdpEndpoint
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire import dns as wire
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.dns import DnsAnswer, Outcome

PATIENCE: Final = (1_000_000, 2_000_000, 4_000_000, 4_000_000)
"""How long each try waits for an answer, in microseconds; the tries go round the servers."""

LONGEST_TTL: Final = 86_400
"""Seconds after which even a longer-lived record is looked up again."""

Lookup = tuple[str, int]
"""Canonical name and record type."""


def _failure(outcome: Outcome, name: str) -> OSError:
    if outcome is Outcome.NO_NAME:
        return socket.gaierror(socket.EAI_NONAME, f"{name}: no such name")
    if outcome is Outcome.NO_DATA:
        return socket.gaierror(socket.EAI_NONAME, f"{name}: the name has no address of this family")
    return socket.gaierror(socket.EAI_AGAIN, f"{name}: the DNS servers gave no usable answer")


class _Query:
    """One lookup under way; everybody who asks for the same name meanwhile shares it."""

    def __init__(self, lookup: Lookup, message: bytes, endpoint: UdpEndpoint) -> None:
        self.lookup = lookup
        self.message = message
        self.endpoint = endpoint
        self.askers: list[Future[tuple[Address, ...]]] = []
        self.tries = 0
        self.timer: Timer | None = None


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
        self._servers = servers
        self._query_limit = queries
        self._cache_limit = cache
        self._timers = timers
        self._statistics = statistics
        self._entropy = entropy
        self._queries: dict[Lookup, _Query] = {}
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
        if query.tries == 0:
            self._ask(query)
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

    def _begin(self, lookup: Lookup) -> _Query:
        if not self._servers:
            raise OSError(0, "no DNS server is configured")
        if len(self._queries) >= self._query_limit:
            raise OSError(0, f"{self._query_limit} lookups are under way already")
        # Port and number are both random: a forger off the path must guess 30 bits (RFC 5452 9.2).
        message = wire.build_query(*lookup, self._entropy.below(1 << 16))
        query = self._queries[lookup] = _Query(lookup, message, self._udp.bind())
        return query

    def _ask(self, query: _Query) -> None:
        """One more try; the answer of an earlier one is still welcome."""
        if query.timer is not None:
            query.timer.cancel()
        if query.tries >= len(PATIENCE):
            self._finish(query, DnsAnswer(Outcome.SERVER_FAILED))
            return
        server = self._servers[query.tries % len(self._servers)]
        query.timer = self._timers.after(PATIENCE[query.tries], lambda: self._ask(query))
        query.tries += 1
        try:
            query.endpoint.send(query.message, server, wire.PORT)
        except OSError:
            self._statistics.drop("dns.send_failed")
        if query.tries == 1:
            self._listen(query)

    def _listen(self, query: _Query) -> None:
        query.endpoint.receive().add_done_callback(lambda future: self._received(query, future))

    def _received(self, query: _Query, future: "Future[Datagram]") -> None:
        if future.exception() is not None:
            # The endpoint was closed: because the lookup is over, or by the host's end.
            if query.lookup in self._queries:
                self._finish(query, DnsAnswer(Outcome.SERVER_FAILED))
            return
        data, src, src_port = future.result()
        answer = None
        if src_port == wire.PORT and src in self._servers:
            answer = wire.parse_answer(data, query.message)
        if answer is None:
            self._statistics.drop("dns.not_an_answer")
            self._listen(query)
        elif answer.outcome in {Outcome.SERVER_FAILED, Outcome.TRUNCATED}:
            self._listen(query)
            self._ask(query)
        else:
            self._finish(query, answer)

    def _finish(self, query: _Query, answer: DnsAnswer) -> None:
        if query.timer is not None:
            query.timer.cancel()
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
        if expiry <= self._timers.now:
            del self._cache[lookup]
            return None
        return answer

    def _remember(self, lookup: Lookup, answer: DnsAnswer) -> None:
        if answer.ttl <= 0:
            return
        while len(self._cache) >= self._cache_limit:
            del self._cache[next(iter(self._cache))]
        self._cache[lookup] = (self._timers.now + min(answer.ttl, LONGEST_TTL) * 1_000_000, answer)
