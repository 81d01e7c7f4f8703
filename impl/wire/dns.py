"""DNS address queries and their answers (RFC 1035, RFC 3596), over dnspython's messages."""

from dataclasses import dataclass
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

NO_ERROR: Final = int(dns.rcode.NOERROR)
NO_NAME: Final = int(dns.rcode.NXDOMAIN)

_UDP_PAYLOAD: Final = 1232
"""EDNS buffer size that avoids fragmentation on common paths."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What a response says: the code of its outcome, the addresses (packed) it has for the name, and the TTL (seconds) it gives.

    `ttl` is the least of all records that lead to the addresses, or what the SOA record says of a name without; None without one.
    """

    code: int
    addresses: tuple[Address, ...] = ()
    truncated: bool = False
    ttl: int | None = None


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
    code, truncated = int(response.rcode()), bool(response.flags & dns.flags.TC)
    if code not in {NO_ERROR, NO_NAME}:
        return DnsAnswer(code, (), truncated)
    try:
        chain = response.resolve_chaining()
    except dns.exception.DNSException:
        if truncated:
            return DnsAnswer(code, (), truncated)
        raise
    if chain.answer is None:
        has_soa = any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)
        return DnsAnswer(code, (), truncated, chain.minimum_ttl if has_soa else None)
    addresses = tuple(ip_address(record.to_text()).packed for record in chain.answer)
    return DnsAnswer(code, addresses, truncated, chain.minimum_ttl)
