"""Handshake messages of TLS 1.3: octets to the messages of the tables and back (RFC 9846 section 4, appendix B).

Octet strings that the tables compare are hexadecimal text there. Facts that take keys (`verified`, `signed`, `path`, `share_ok`)
are left at their defaults; the client states them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from wirelaw.impl.generated import tls13_client as law
from wirelaw.impl.tls.codec import DecodeError, Reader, extensions, extensions_vector, handshake, numbers, numbers_vector, vector
from wirelaw.impl.tls.keys import KeyShare

ALERTS: Final = {
    "close_notify": 0, "unexpected_message": 10, "bad_record_mac": 20, "record_overflow": 22, "handshake_failure": 40,
    "bad_certificate": 42, "unsupported_certificate": 43, "certificate_revoked": 44, "certificate_expired": 45,
    "certificate_unknown": 46, "illegal_parameter": 47, "unknown_ca": 48, "access_denied": 49, "decode_error": 50,
    "decrypt_error": 51, "protocol_version": 70, "insufficient_security": 71, "internal_error": 80,
    "inappropriate_fallback": 86, "user_canceled": 90, "missing_extension": 109, "unsupported_extension": 110,
    "unrecognized_name": 112, "bad_certificate_status_response": 113, "unknown_psk_identity": 115,
    "certificate_required": 116, "general_error": 117, "no_application_protocol": 120,
}  # fmt: skip
ALERT_NAMES: Final = {number: name for name, number in ALERTS.items()}

SERVER_NAME, GROUPS, SIGNATURES, ALPN, PSK, EARLY_DATA, VERSIONS, COOKIE, PSK_MODES, KEY_SHARE = 0, 10, 13, 16, 41, 42, 43, 44, 45, 51
CERTIFICATE, CERTIFICATE_VERIFY, FINISHED, KEY_UPDATE = 11, 15, 20, 24
_RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
LONGEST: Final = 1 << 17
"""Octets of the longest handshake message that is read; a longer one does not parse."""

Fields = dict[str, Any]


class OfferedPsk(NamedTuple):
    """A pre-shared key in a ClientHello: its suite, the octets of that suite's hash, its ticket and obfuscated age; `early`: with data."""

    suite: int
    size: int
    ticket: bytes
    age: int
    early: bool


def parse(raw: bytes, epoch: int, aligned: bool) -> law.Handshake:
    """The message that `raw` (with its header) is; `ok` is false where it does not parse."""
    made, fields_of = _KINDS.get(raw[0], (law.UnknownHandshake, _any))
    common: Fields = {"epoch": epoch, "aligned": aligned, "raw": raw}
    try:
        reader = Reader(raw[4:])
        fields = fields_of(reader)
        reader.end()
    except DecodeError:
        return made(**common, ok=False)
    return made(**common, **fields)


def broken(kind: int, epoch: int, aligned: bool) -> law.Handshake:
    """A message of which no more than the type is known."""
    return _KINDS.get(kind, (law.UnknownHandshake, _any))[0](epoch=epoch, aligned=aligned, ok=False)


def _any(r: Reader) -> Fields:
    r.rest()
    return {}


def _server_hello(r: Reader) -> Fields:
    version, random, session, suite, compression = r.number(2), r.take(32), r.vector(1), r.number(2), r.number(1)
    found = extensions(r.vector(2)) if r.more else ()
    fields: Fields = {
        "legacy_version": version, "random": random.hex(), "session_id": session.hex(), "suite": suite, "compression": compression,
        "extensions": _types(found), "downgrade": random[24:].hex(), "cookie": "", "version": 0, "group": 0,
    }  # fmt: skip
    bodies = dict(found)
    if VERSIONS in bodies:
        fields["version"] = _only(bodies[VERSIONS], lambda e: e.number(2))
    if COOKIE in bodies:
        fields["cookie"] = _only(bodies[COOKIE], lambda e: e.vector(2)).hex()
    if PSK in bodies:
        fields["selected"] = _only(bodies[PSK], lambda e: e.number(2))
    if KEY_SHARE in bodies:
        share = Reader(bodies[KEY_SHARE])
        fields["group"] = share.number(2)
        if random != _RETRY_RANDOM:
            fields["share"] = share.vector(2)
        share.end()
    return fields


def _encrypted_extensions(r: Reader) -> Fields:
    return {"extensions": _types(extensions(r.vector(2)))}


def _certificate_request(r: Reader) -> Fields:
    context, found = r.vector(1), extensions(r.vector(2))
    bodies = dict(found)
    wanted = _only(bodies[SIGNATURES], lambda e: numbers(e.vector(2))) if SIGNATURES in bodies else ()
    return {"context": context.hex(), "extensions": _types(found), "signatures": wanted}


def _certificate(r: Reader) -> Fields:
    context, entries = r.vector(1), Reader(r.vector(3))
    chain: list[bytes] = []
    kinds: tuple[int, ...] = ()
    while entries.more:
        chain.append(entries.vector(3))
        kinds += _types(extensions(entries.vector(2)))
    return {"context": context.hex(), "count": len(chain), "chain": tuple(chain), "entry_extensions": kinds}


def _certificate_verify(r: Reader) -> Fields:
    return {"algorithm": r.number(2), "signature": r.vector(2)}


def _finished(r: Reader) -> Fields:
    return {"verify_data": r.rest()}


def _new_session_ticket(r: Reader) -> Fields:
    fields: Fields = {"lifetime": r.number(4), "age_add": r.number(4), "nonce": r.vector(1), "ticket": r.vector(2)}
    found = extensions(r.vector(2))
    early = dict(found).get(EARLY_DATA)
    return {**fields, "extensions": _types(found), "early_limit": _only(early, lambda e: e.number(4)) if early is not None else 0}


def _key_update(r: Reader) -> Fields:
    return {"request": r.number(1)}


_KINDS: Final[dict[int, tuple[type[law.Handshake], Callable[[Reader], Fields]]]] = {
    1: (law.ClientHello, _any),
    2: (law.ServerHello, _server_hello),
    4: (law.NewSessionTicket, _new_session_ticket),
    5: (law.EndOfEarlyData, _any),
    8: (law.EncryptedExtensions, _encrypted_extensions),
    CERTIFICATE: (law.Certificate, _certificate),
    13: (law.CertificateRequest, _certificate_request),
    CERTIFICATE_VERIFY: (law.CertificateVerify, _certificate_verify),
    FINISHED: (law.Finished, _finished),
    KEY_UPDATE: (law.KeyUpdate, _key_update),
}


def _types(found: Iterable[tuple[int, bytes]]) -> tuple[int, ...]:
    return tuple(kind for kind, _ in found)


def _only(body: bytes, read: Callable[[Reader], Any]) -> Any:
    reader = Reader(body)
    value = read(reader)
    reader.end()
    return value


def client_hello(
    random: bytes, session: bytes, suites: tuple[int, ...], groups: tuple[int, ...], schemes: tuple[int, ...], shares: Iterable[KeyShare],
    name: str = "", protocols: Iterable[bytes] = (), cookie: bytes = b"", psk: OfferedPsk | None = None,
) -> law.ClientHello:  # fmt: skip
    """A ClientHello that offers TLS 1.3 alone. `name` is the host's for server_name (empty: none), `protocols` those of ALPN.

    With a pre-shared key the binder is all zeros; `bound` puts the right one in.
    """
    keys = list(shares)
    found = [
        (VERSIONS, vector(1, b"\x03\x04")), (GROUPS, numbers_vector(groups)), (SIGNATURES, numbers_vector(schemes)),
        (KEY_SHARE, vector(2, b"".join(k.group.to_bytes(2, "big") + vector(2, k.public) for k in keys))),
    ]  # fmt: skip
    if name:
        found.append((SERVER_NAME, vector(2, b"\0" + vector(2, name.encode("ascii")))))
    if offered := b"".join(vector(1, p) for p in protocols):
        found.append((ALPN, vector(2, offered)))
    if cookie:
        found.append((COOKIE, vector(2, cookie)))
    if psk is not None:
        identities = vector(2, vector(2, psk.ticket) + psk.age.to_bytes(4, "big"))
        found += [(PSK_MODES, b"\1\1"), *([(EARLY_DATA, b"")] if psk.early else [])]
        found.append((PSK, identities + vector(2, vector(1, bytes(psk.size)))))
    body = b"\x03\x03" + random + vector(1, session) + numbers_vector(suites) + b"\1\0" + extensions_vector(found)
    return law.ClientHello(
        raw=handshake(1, body), extensions=_types(found), legacy_version=0x0303, random=random.hex(), session_id=session.hex(),
        compression="00", suites=suites, versions=(0x0304,), groups=groups, shares=tuple(k.group for k in keys), signatures=schemes,
        share_count=len(keys), cookie=cookie.hex(), identities=1 if psk else 0, psk_suite=psk.suite if psk else 0, binders_ok=True,
    )  # fmt: skip


def truncated(hello: law.ClientHello, psk: OfferedPsk) -> bytes:
    """What the binder covers of `hello`: all but the list of binders."""
    return bytes(hello.raw[: -(psk.size + 3)])


def bound(hello: law.ClientHello, binder: bytes) -> law.ClientHello:
    """`hello` with `binder` in its place."""
    return replace(hello, raw=hello.raw[: -len(binder)] + binder)


def certificate(context: str, chain: tuple[bytes, ...]) -> law.Certificate:
    """A Certificate of ours in answer to a request with `context`; an empty chain says that there is none."""
    entries = b"".join(vector(3, der) + b"\0\0" for der in chain)
    raw = handshake(CERTIFICATE, vector(1, bytes.fromhex(context)) + vector(3, entries))
    return law.Certificate(raw=raw, context=context, count=len(chain), chain=chain, entry_extensions=(), path="trusted")


def certificate_verify(scheme: int, signature: bytes) -> law.CertificateVerify:
    """A CertificateVerify of ours."""
    raw = handshake(CERTIFICATE_VERIFY, scheme.to_bytes(2, "big") + vector(2, signature))
    return law.CertificateVerify(raw=raw, algorithm=scheme, signature=signature, fits_key=True, signed=True)


def finished(verify_data: bytes) -> law.Finished:
    """A Finished of ours."""
    return law.Finished(raw=handshake(FINISHED, verify_data), verify_data=verify_data, verified=True)


def end_of_early_data() -> law.EndOfEarlyData:
    """An EndOfEarlyData of ours."""
    return law.EndOfEarlyData(raw=handshake(5, b""))


def key_update(request: int) -> bytes:
    """A KeyUpdate; `request` is 1 to ask for one."""
    return handshake(KEY_UPDATE, bytes([request]))
