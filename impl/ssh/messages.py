"""Messages of SSH: payloads to the messages of the tables and back (RFC 4250 section 4.1 has the numbers).

A payload that does not parse is a broken message where the tables have that (`ok`), and an unknown one elsewhere. Facts that take
keys (`signed`, `trusted`, `secret_ok`, `hash`) are left at their defaults; the client states them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from wirelaw.impl.generated import ssh_transport_client as law
from wirelaw.impl.ssh.codec import DecodeError, Reader, boolean, names, number, string

DISCONNECT_CODES: Final = (
    "reserved_code", "host_not_allowed_to_connect", "protocol_error", "key_exchange_failed", "reserved_code", "mac_error",
    "compression_error", "service_not_available", "protocol_version_not_supported", "host_key_not_verifiable", "connection_lost",
    "by_application", "too_many_connections", "auth_cancelled_by_user", "no_more_auth_methods_available", "illegal_user_name",
)  # fmt: skip
OPEN_FAILURES: Final = (
    "other_reason", "administratively_prohibited", "connect_failed", "unknown_channel_type", "resource_shortage",
)  # fmt: skip
LISTS: Final = ("kex", "host_keys", "enc_cs", "enc_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc", "lang_cs", "lang_sc")

Fields = dict[str, Any]


class EcdhParts(NamedTuple):
    """What a server's answer in a key exchange is made of."""

    host_key: bytes
    public: bytes
    signature: bytes


def parse(payload: bytes, packet: Mapping[str, Any]) -> law.Msg:
    """The message that `payload` is; `packet` are the facts of its packet."""
    kind = payload[0] if payload else 0
    made, fields_of = _KINDS.get(kind) or _unlisted(kind)
    reader = Reader(payload[1:])
    try:
        fields = fields_of(reader)
    except DecodeError:
        return made(**packet, ok=False) if issubclass(made, law.Generic | law.Exchange) else law.Unknown(**packet)
    if issubclass(made, law.Exchange):
        fields["raw"] = payload
    return made(**packet, **fields)


def _unlisted(kind: int) -> tuple[type[law.Msg], Callable[[Reader], Fields]]:
    if 30 <= kind <= 49:
        return law.KexOther, _none
    return (law.UserauthMethod, _content) if 60 <= kind <= 79 else (law.Unknown, _none)


def ecdh_parts(payload: bytes) -> EcdhParts:
    """The parts of an SSH_MSG_KEX_ECDH_REPLY that parsed."""
    reader = Reader(payload[1:])
    return EcdhParts(reader.string(), reader.string(), reader.string())


def _none(_r: Reader) -> Fields:
    return {}


def _content(r: Reader) -> Fields:
    return {"content": r.rest()}


def _code(names_of: tuple[str, ...], other: str) -> Callable[[Reader], Fields]:
    def read(r: Reader) -> Fields:
        value = r.number()
        return {"reason": names_of[value] if value < len(names_of) else other}

    return read


def _what(r: Reader) -> Fields:
    return {"what": r.number()}


def _ext_info(r: Reader) -> Fields:
    for _ in range(r.number()):
        r.string()
        r.string()
    return {}


def _name(r: Reader) -> Fields:
    return {"name": r.text()}


def _kexinit(r: Reader) -> Fields:
    r.take(16)
    return {**{name: r.names() for name in LISTS}, "follows": r.boolean(), "reserved": r.number()}


def _newkeys(r: Reader) -> Fields:
    return {"ok": not r.rest()}


def _ecdh_init(r: Reader) -> Fields:
    return {"ok": len(r.string()) == 32}


def _ecdh_reply(r: Reader) -> Fields:
    key, public, _signature = r.string(), r.string(), r.string()
    return {"algorithm": Reader(key).text(), "ok": len(public) == 32, "secret_ok": False, "trusted": False, "signed": False}


def _userauth_request(r: Reader) -> Fields:
    user, service, method = r.string(), r.text(), r.text()
    return {"user": user.decode(errors="replace"), "service": service, "method": method, "content": r.rest()}


def _userauth_failure(r: Reader) -> Fields:
    return {"methods": r.names(), "partial": r.boolean()}


def _userauth_banner(r: Reader) -> Fields:
    return {"content": r.string()}


def _global_request(r: Reader) -> Fields:
    r.string()
    return {"want_reply": r.boolean()}


def _channel_open(r: Reader) -> Fields:
    kind, sender, window, packet = r.text(), r.number(), r.number(), r.number()
    return {"channel_type": kind, "sender": sender, "window": window, "packet": packet}


def _confirmation(r: Reader) -> Fields:
    return {"key": r.number(), "sender": r.number(), "window": r.number(), "packet": r.number()}


def _key(r: Reader) -> Fields:
    return {"key": r.number()}


def _adjust(r: Reader) -> Fields:
    return {"key": r.number(), "add": r.number()}


def _data(r: Reader) -> Fields:
    key, content = r.number(), r.string()
    return {"key": key, "len": len(content), "content": content}


def _extended(r: Reader) -> Fields:
    key, code, content = r.number(), r.number(), r.string()
    return {"key": key, "code": code, "len": len(content), "content": content}


def _channel_request(r: Reader) -> Fields:
    key, request, want_reply = r.number(), r.text(), r.boolean()
    return {"key": key, "request": request, "want_reply": want_reply, "content": r.rest()}


def _open_failure(r: Reader) -> Fields:
    return {"key": r.number(), **_code(OPEN_FAILURES, "other_reason")(r)}


_KINDS: Final[dict[int, tuple[type[law.Msg], Callable[[Reader], Fields]]]] = {
    1: (law.Disconnect, _code(DISCONNECT_CODES, "other_code")),
    2: (law.Ignore, _none),
    3: (law.Unimplemented, _what),
    4: (law.Debug, _none),
    5: (law.ServiceRequest, _name),
    6: (law.ServiceAccept, _name),
    7: (law.ExtInfo, _ext_info),
    20: (law.Kexinit, _kexinit),
    21: (law.Newkeys, _newkeys),
    30: (law.EcdhInit, _ecdh_init),
    31: (law.EcdhReply, _ecdh_reply),
    50: (law.UserauthRequest, _userauth_request),
    51: (law.UserauthFailure, _userauth_failure),
    52: (law.UserauthSuccess, _none),
    53: (law.UserauthBanner, _userauth_banner),
    80: (law.GlobalRequest, _global_request),
    81: (law.RequestSuccess, _none),
    82: (law.RequestFailure, _none),
    90: (law.ChannelOpen, _channel_open),
    91: (law.OpenConfirmation, _confirmation),
    92: (law.OpenFailure, _open_failure),
    93: (law.WindowAdjust, _adjust),
    94: (law.ChannelData, _data),
    95: (law.ChannelExtended, _extended),
    96: (law.ChannelEof, _key),
    97: (law.ChannelClose, _key),
    98: (law.ChannelRequest, _channel_request),
    99: (law.ChannelSuccess, _key),
    100: (law.ChannelFailure, _key),
}
NUMBERS: Final = {made: kind for kind, (made, _) in _KINDS.items()}


def kexinit(cookie: bytes, lists: Mapping[str, tuple[str, ...]]) -> law.Kexinit:
    """A KEXINIT of ours with the name-lists `lists`, and no guess."""
    raw = b"\x14" + cookie + b"".join(names(lists[name]) for name in LISTS) + boolean(False) + number(0)
    fields: Fields = dict(lists)
    return law.Kexinit(**fields, raw=raw)


def ecdh_init(public: bytes) -> law.EcdhInit:
    """Our public value in a key exchange."""
    return law.EcdhInit(raw=b"\x1e" + string(public))


def identification(software: str) -> law.Identification:
    """How we name ourselves."""
    raw = f"SSH-2.0-{software}".encode("ascii")
    return law.Identification(length=len(raw) + 2, raw=raw, version="2.0")


def built(o: Any) -> bytes:
    """The payload of a message of ours."""
    if isinstance(o, law.Exchange):
        return o.raw or bytes([NUMBERS[type(o)]])
    return bytes([NUMBERS[type(o)]]) + b"".join(_body(o))


def _body(o: Any) -> list[bytes]:
    match o:
        case law.Disconnect():
            return [number(DISCONNECT_CODES.index(o.reason)), string(""), string("")]
        case law.Ignore():
            return [string("")]
        case law.Debug():
            return [boolean(False), string(""), string("")]
        case law.Unimplemented():
            return [number(o.what)]
        case law.ExtInfo():
            return [number(0)]
        case law.ServiceRequest():
            return [string(o.name)]
        case law.UserauthRequest():
            return [string(o.user), string(o.service), string(o.method), o.content]
        case law.ChannelOpen():
            return [string(o.channel_type), number(o.sender), number(o.window), number(o.packet)]
        case law.OpenConfirmation():
            return [number(o.key), number(o.sender), number(o.window), number(o.packet)]
        case law.OpenFailure():
            return [number(o.key), number(OPEN_FAILURES.index(o.reason)), string(""), string("")]
        case law.WindowAdjust():
            return [number(o.key), number(o.add)]
        case law.ChannelData():
            return [number(o.key), string(o.content)]
        case law.ChannelRequest():
            return [number(o.key), string(o.request), boolean(o.want_reply), o.content]
        case law.ChannelEof() | law.ChannelClose() | law.ChannelSuccess() | law.ChannelFailure():
            return [number(o.key)]
    return []
