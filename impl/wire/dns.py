"""DNS address queries and their answers (RFC 1035, RFC 3596), over dnspython's messages."""

from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from wirelaw.impl.wire.checksum import Address

PORT: Final = 53
A: Final = int(dns.rdatatype.A)
AAAA: Final = int(dns.rdatatype.AAAA)

_UDP_PAYLOAD: Final = 1232
"""EDNS buffer size that avoids fragmentation on common paths."""


class Outcome(Enum):
    """What a server said about a name."""

    FOUND = auto()
    NO_NAME = auto()
    NO_DATA = auto()
    SERVER_FAILED = auto()
    TRUNCATED = auto()


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """A server's answer: the addresses (packed), and for how many seconds it may be remembered."""

    outcome: Outcome
    addresses: tuple[Address, ...] = ()
    ttl: int = 0


def canonical_name(text: str) -> str:
    """The absolute form of a host name in lower case; `ValueError` when it is not a domain name."""
    try:
        name = dns.name.from_text(text).canonicalize()
    except dns.exception.DNSException as error:
        raise ValueError(f"{text!r} is not a domain name: {error}") from None
    if name == dns.name.root:
        raise ValueError("an empty name is not a host's")
    return name.to_text()


def build_query(name: str, kind: int, ident: int) -> bytes:
    """A recursive query for the addresses of `name`: `kind` is `A` or `AAAA`, `ident` the transaction's 16-bit number."""
    query = dns.message.make_query(name, dns.rdatatype.RdataType(kind), use_edns=0, payload=_UDP_PAYLOAD, id=ident)
    return query.to_wire()


def parse_answer(data: bytes, query: bytes) -> DnsAnswer | None:
    """The answer to `query`, aliases followed (RFC 1034 3.6.2); None when `data` is not an answer to it."""
    try:
        asked = dns.message.from_wire(query)
        response = dns.message.from_wire(data, ignore_trailing=True)
        if not asked.is_response(response) or not isinstance(response, dns.message.QueryMessage):
            return None
        return _interpret(response)
    except (dns.exception.DNSException, ValueError, IndexError, KeyError):
        return None


def _interpret(response: dns.message.QueryMessage) -> DnsAnswer:
    code = response.rcode()
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return DnsAnswer(Outcome.SERVER_FAILED)
    truncated = bool(response.flags & dns.flags.TC)
    try:
        chain = response.resolve_chaining()
    except dns.exception.DNSException:
        if truncated:
            return DnsAnswer(Outcome.TRUNCATED)
        raise
    if chain.answer is None:
        if truncated:
            return DnsAnswer(Outcome.TRUNCATED)
        missing = Outcome.NO_NAME if code == dns.rcode.NXDOMAIN else Outcome.NO_DATA
        # Without an SOA record a negative answer has no lifetime and is not remembered (RFC 2308 5).
        has_soa = any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)
        return DnsAnswer(missing, (), chain.minimum_ttl if has_soa else 0)
    addresses = tuple(ip_address(record.to_text()).packed for record in chain.answer)
    return DnsAnswer(Outcome.FOUND, addresses, 0 if truncated else chain.minimum_ttl)
