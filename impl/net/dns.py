"""Looking up host names (RFC 1035 section 7, RFC 5452) around the generated machine: several lookups at once, and a cache.

`Lookup` is the surroundings of one machine, `Dns` the tables of lookups under way and of answers remembered. Whom to ask, for
how long, what to believe and how long to remember it stands in spec/net/dns.law; nothing in this file looks at a machine's state.
"""

import socket
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Final, NamedTuple

from wirelaw.impl.generated.dns_lookup import DnsLookup, Gone, Query, Response
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.udp import Datagram, Udp, UdpEndpoint
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire import dns as wire
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.dns import DnsAnswer

CODES: Final = {wire.NO_ERROR: "no_error", wire.NO_NAME: "no_name"}
"""Response codes as the law names them; all others are its `other`."""

NOTHING: Final = DnsAnswer(wire.NO_ERROR)

Question = tuple[str, int]
"""Canonical name and record type."""


class Result(NamedTuple):
    """What a lookup has come to: addresses, or else the number and the text of the error; and when it is to be forgotten."""

    addresses: tuple[Address, ...]
    number: int
    text: str
    expiry: int


class Lookup:
    """One lookup under way: its machine, port and timer, and everybody who asks for the same name meanwhile."""

    def __init__(self, dns: "Dns", question: Question, message: bytes, endpoint: UdpEndpoint) -> None:
        self.question = question
        self.askers: list[Future[tuple[Address, ...]]] = []
        self.endpoint = endpoint
        self.machine = DnsLookup(self)
        self._dns = dns
        self._message = message
        self._asked: set[Address] = set()
        self._at_hand = NOTHING
        self._result: Result | None = None
        self._timer: Timer | None = None
        self._listen()

    def pump(self) -> None:
        """Let the machine do what is due; then end the lookup, or set the clock for the next time."""
        timers = self._dns.timers
        self.machine.tick(timers.now)
        self.machine.pump(timers.now)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.machine.deadline()
        if deadline is not None:
            self._timer = timers.at(deadline, self.pump)
        result, self._result = self._result, None
        if result is not None:
            self._dns.finish(self, result)

    def _listen(self) -> None:
        self.endpoint.receive().add_done_callback(self._received)

    def _received(self, future: "Future[Datagram]") -> None:
        if future.exception() is not None:  # the port was closed: because the lookup is over, or by the host's end
            self.machine.on_gone(Gone(), self._dns.timers.now)
        else:
            self._listen()
            self._take(future.result())
        self.pump()

    def _take(self, datagram: Datagram) -> None:
        answer = wire.parse_answer(datagram.data, self._message)
        self._at_hand = response = answer or NOTHING
        message = Response(
            asked=datagram.src_port == wire.PORT and datagram.src in self._asked,
            matches=answer is not None,
            code=CODES.get(response.code, "other"),
            found=bool(response.addresses),
            truncated=response.truncated,
            lasting=response.ttl is not None,
            ttl=(response.ttl or 0) * 1_000_000,
        )
        self.machine.on_response(message, self._dns.timers.now)

    # --- what the machine asks and does -----------------------------------------------------------------------

    def ask_servers(self) -> int:
        return len(self._dns.servers)

    def emit_query(self, o: Query) -> None:
        server = self._dns.servers[o.server]
        self._asked.add(server)
        try:
            self.endpoint.send(self._message, server, wire.PORT)
        except OSError:  # as good as lost on the way
            self._dns.statistics.drop("dns.send_failed")

    def tell_found(self, ttl: int) -> None:
        self._result = Result(self._at_hand.addresses, 0, "", self._dns.timers.now + ttl)

    def tell_no_name(self, ttl: int) -> None:
        self._fail(socket.EAI_NONAME, "no such name", ttl)

    def tell_no_data(self, ttl: int) -> None:
        self._fail(socket.EAI_NONAME, "the name has no address of this family", ttl)

    def tell_failed(self) -> None:
        self._fail(socket.EAI_AGAIN, "the DNS servers gave no usable answer", 0)

    def _fail(self, number: int, text: str, ttl: int) -> None:
        self._result = Result((), number, text, self._dns.timers.now + ttl)

    def tell_ignored(self) -> None:
        self._dns.statistics.drop("dns.not_an_answer")


class Dns:
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
        self._lookups: dict[Question, Lookup] = {}
        self._cache: dict[Question, Result] = {}

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
            question = (wire.canonical_name(name), kind)
        except ValueError as error:
            future.set_exception(socket.gaierror(socket.EAI_NONAME, str(error)))
            return future
        remembered = self._remembered(question)
        if remembered is not None:
            self._settle([future], question, remembered)
            return future
        lookup = self._lookups.get(question)
        if lookup is None:
            try:
                lookup = self._begin(question)
            except OSError as error:
                future.set_exception(socket.gaierror(socket.EAI_AGAIN, f"{name}: {error.strerror}"))
                return future
        lookup.askers.append(future)
        lookup.pump()
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

    def _begin(self, question: Question) -> Lookup:
        if not self.servers:
            raise OSError(0, "no DNS server is configured")
        if len(self._lookups) >= self._query_limit:
            raise OSError(0, f"{self._query_limit} lookups are under way already")
        # Port and number are both random: a forger off the path must guess 30 bits (RFC 5452 9.2).
        message = wire.build_query(*question, self._entropy.below(1 << 16))
        lookup = self._lookups[question] = Lookup(self, question, message, self._udp.bind())
        return lookup

    def finish(self, lookup: Lookup, result: Result) -> None:
        """`lookup` is over: remember what it came to, and tell whoever asked."""
        del self._lookups[lookup.question]
        lookup.endpoint.close()
        self._remember(lookup.question, result)
        self._settle(lookup.askers, lookup.question, result)

    @staticmethod
    def _settle(askers: "list[Future[tuple[Address, ...]]]", question: Question, result: Result) -> None:
        for future in askers:
            if result.addresses:
                future.set_result(result.addresses)
            else:
                future.set_exception(socket.gaierror(result.number, f"{question[0]}: {result.text}"))

    def _remembered(self, question: Question) -> Result | None:
        result = self._cache.get(question)
        if result is not None and result.expiry <= self.timers.now:
            del self._cache[question]
            return None
        return result

    def _remember(self, question: Question, result: Result) -> None:
        if result.expiry <= self.timers.now:
            return
        while len(self._cache) >= self._cache_limit:
            del self._cache[next(iter(self._cache))]
        self._cache[question] = result
