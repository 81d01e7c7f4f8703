"""A TLS 1.3 client without sockets: octets in, octets out, around the generated machine (spec/tls/client.law).

This file splits octets into records and records into messages, applies keys, and states facts. What a message means, when it is due,
which alert answers it and what is said next stands in the law; nothing here looks at a state but to know that all is over.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from wirelaw.impl.externs.transcript import Transcript, absorb, keyed, same_hash
from wirelaw.impl.generated import tls13_client as law
from wirelaw.impl.runtime.entropy import Entropy, SystemEntropy
from wirelaw.impl.runtime.machine import Step
from wirelaw.impl.tls import messages
from wirelaw.impl.tls.certificates import SCHEMES, Identity, Trust, check_signature, is_address, signed_content, subject
from wirelaw.impl.tls.keys import AES_128_GCM, AES_256_GCM, CHACHA20, EARLY, HANDSHAKE, P256, P384, X25519, Direction, KeySchedule, KeyShare

_CCS, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_LARGEST: Final = 1 << 14
_EXPANSION: Final = 256
KEPT_SESSIONS: Final = 8
LONGEST_LIFE: Final = timedelta(days=7)

Watcher = Callable[[bool, law.Msg], None]
"""Is told of each message as the tables see it; the first argument is whether we sent it."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a ticket lets a later connection to the same host begin with, its certificate checked already."""

    name: str
    suite: int
    ticket: bytes
    psk: bytes = field(repr=False)
    age_add: int = field(repr=False)
    received: datetime
    lifetime: timedelta
    early_limit: int

    def offered(self, at: datetime, early: bool) -> messages.OfferedPsk:
        """The pre-shared key in a ClientHello at time `at`."""
        age = ((at - self.received) // timedelta(milliseconds=1) + self.age_add) % (1 << 32)
        return messages.OfferedPsk(self.suite, len(self.psk), self.ticket, age, early)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client proposes, each in its order of preference, and the certificate that it may show when asked.

    `session` is resumed where the server agrees; `early` is sent with the first flight then, if the session permits. Whoever can
    record that flight can replay it to the server. What was not taken early is not sent again by itself.
    """

    suites: tuple[int, ...] = (AES_128_GCM, CHACHA20, AES_256_GCM)
    groups: tuple[int, ...] = (X25519, P256, P384)
    shares: tuple[int, ...] = (X25519,)
    protocols: tuple[bytes, ...] = ()
    identity: Identity | None = None
    session: Session | None = None
    early: bytes = b""
    entropy: Entropy = field(default_factory=SystemEntropy)


class TlsClient:
    """One connection to the host `name`, whose certificate must lead to a root of `trust` at the time `today` (with its time zone).

    The caller carries octets: what `take_output` returns to the peer, what the peer sends to `receive`, and `transport_ended` once
    nothing more will come. `now` is microseconds of any clock. `established`, `ended` (the peer sends no more), `truncated`,
    `alert_sent` and `alert_received` (fatal ones, by name), `early_taken` say how things stand; `sessions` are the latest that the
    server has given. After `over` nothing more is sent or taken.
    """

    def __init__(
        self, name: str, trust: Trust, today: datetime, offer: Offer | None = None, now: int = 0,
        watch: Watcher | None = None, on_step: Callable[[Step], None] | None = None,
    ) -> None:  # fmt: skip
        subject(name)  # names that no certificate can have are refused here
        self.name = name
        self.established = self.ended = self.truncated = self.early_taken = False
        self.alert_sent = self.alert_received = ""
        self.sessions: deque[Session] = deque(maxlen=KEPT_SESSIONS)
        self._trust, self._offer, self._today = trust, offer or Offer(), today
        self._started = self._now = now
        self._watch = watch or (lambda _sent, _message: None)
        self._shares: dict[int, KeyShare] = {}
        self._schedule: KeySchedule | None = None
        self._session = self._usable()
        self._early = KeySchedule(self._session.suite, self._session.psk) if self._session else None
        self._reading, self._writing = Direction("s"), Direction("c")
        self._random = self._offer.entropy.octets(32)
        self._inbox, self._fragments = bytearray(), bytearray()
        self._outbox, self._received, self._unsent = bytearray(), bytearray(), bytearray()
        self._machine = law.Tls13Client(self, on_step)
        self._unsent_early = bytearray(self._offer.early if self._session and self._session.early_limit else b"")
        self._machine.call_write_early(len(self._unsent_early), now)
        self._machine.pump(now)

    def _usable(self) -> Session | None:
        """The session to offer: of this host, no older than it may be (RFC 9846 section 4.7.1), with room for the early data."""
        session = self._offer.session
        if session is None or session.name != self.name or self._today - session.received > session.lifetime:
            return None
        return session if not self._offer.early or len(self._offer.early) <= session.early_limit else replace(session, early_limit=0)

    # --- for the caller ----------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the connection has come to its end: the transport may be closed."""
        return self._machine.hs in {law.FAILED, law.CLOSED}

    def receive(self, data: bytes, now: int = 0) -> None:
        """Take octets from the peer."""
        self._inbox += data
        for message in self._messages():
            self._feed(message, now)
            if self.over:
                return

    def transport_ended(self, now: int = 0) -> None:
        """The transport says that no more octets will come."""
        self._feed(law.Eof(epoch=self._machine.rd), now)

    def write(self, data: bytes, now: int = 0) -> None:
        """Send application data, once the handshake is done."""
        self._unsent += data
        self._machine.call_write(len(data), now)
        self._machine.pump(now)

    def close(self, now: int = 0) -> None:
        """Send no more: close_notify goes out behind what was written."""
        self._machine.call_close(now)
        self._machine.pump(now)

    def update_keys(self, now: int = 0) -> None:
        """Ask for new keys in both directions."""
        self._machine.call_rekey(now)
        self._machine.pump(now)

    def take_output(self) -> bytes:
        """Octets for the peer, since the last call."""
        taken = bytes(self._outbox)
        self._outbox.clear()
        return taken

    def take_received(self) -> bytes:
        """Application data from the peer, since the last call."""
        taken = bytes(self._received)
        self._received.clear()
        return taken

    # --- records in (RFC 9846 section 5) --------------------------------------------------------------------------------------

    def _feed(self, message: law.Msg, now: int) -> None:
        self._watch(False, message)
        self._now = now
        self._machine.on_msg(message, now)
        self._machine.pump(now)

    def _messages(self) -> Iterator[law.Msg]:
        """What the inbox holds, one message at a time: how the next one reads depends on what the last one did."""
        while len(self._inbox) >= 5:
            head = bytes(self._inbox[:5])
            kind, length = head[0], int.from_bytes(head[3:], "big")
            if length > _LARGEST + (_EXPANSION if kind == _DATA else 0):
                yield law.Overflow(epoch=self._machine.rd)
                return
            if len(self._inbox) < 5 + length:
                return
            body = bytes(self._inbox[5 : 5 + length])
            del self._inbox[: 5 + length]
            yield from self._record(head, body)

    def _record(self, head: bytes, body: bytes) -> Iterator[law.Msg]:
        if head[0] != _DATA:
            yield from self._content(head[0], body, 0)
            return
        epoch = self._machine.rd
        opened = self._reading.at(epoch, self._keys(), self._machine).open(head, body) if epoch >= HANDSHAKE else None
        if opened is None:
            yield law.Sealed()
        elif len(opened) > _LARGEST + 1:
            yield law.Overflow(epoch=epoch)
        else:
            inner = opened.rstrip(b"\0")
            yield from self._content(inner[-1], inner[:-1], epoch) if inner else iter([law.Empty(epoch=epoch)])

    def _content(self, kind: int, body: bytes, epoch: int) -> Iterator[law.Msg]:
        if self._fragments and kind not in {_HANDSHAKE, _CCS}:
            yield law.Interleaved(epoch=epoch)
        elif kind == _CCS:
            yield law.Ccs(epoch=epoch, ok=body == b"\1")
        elif kind == _DATA and epoch:
            yield law.App(epoch=epoch, len=len(body), content=body)
        elif kind not in {_ALERT, _HANDSHAKE}:
            yield law.Foreign(epoch=epoch)
        elif not body:
            yield law.Empty(epoch=epoch)
        elif kind == _ALERT:
            yield _alert(body, epoch)
        else:
            self._fragments += body
            yield from self._handshakes(epoch)

    def _handshakes(self, epoch: int) -> Iterator[law.Msg]:
        fragments = self._fragments
        while len(fragments) >= 4:
            size = 4 + int.from_bytes(fragments[1:4], "big")
            if size > messages.LONGEST:
                yield messages.broken(fragments[0], epoch, aligned=True)
                return
            if len(fragments) < size:
                return
            raw = bytes(fragments[:size])
            del fragments[:size]
            yield self._with_facts(messages.parse(raw, epoch, aligned=not fragments))

    # --- facts that take keys -------------------------------------------------------------------------------------------------

    def _with_facts(self, message: law.Handshake) -> law.Handshake:
        machine = self._machine
        if not message.ok:
            return message
        if isinstance(message, law.ServerHello) and message.share is not None:
            share = self._shares.get(message.group)  # a share for a group that we did not offer is for the rows to refuse
            return replace(message, share_ok=share is None or share.exchange(message.share) is not None)
        if isinstance(message, law.Certificate):
            return replace(message, path=self._trust.verdict(message.chain, self.name, self._today) if message.chain else None)
        if isinstance(message, law.CertificateVerify) and machine.peer is not None:
            content = signed_content("server", machine.tr.digest)
            fits, signed = check_signature(machine.peer.chain[0], message.algorithm, message.signature, content)
            return replace(message, fits_key=fits, signed=signed)
        if isinstance(message, law.Finished) and machine.share is not None:
            expected = self._verify_data("s", machine.tr)
            return replace(message, verified=hmac.compare_digest(expected, message.verify_data))
        return message

    def _verify_data(self, sender: str, tr: Transcript) -> bytes:
        schedule = self._keys()
        return schedule.finished(schedule.traffic(sender, HANDSHAKE, self._machine), tr.digest)

    def _keys(self) -> KeySchedule:
        """The key schedule of the ServerHello that the tables took. The private keys have served then."""
        if self._schedule is None:
            hello = self._machine.share
            shared = self._shares[hello.group].exchange(hello.share)
            assert shared is not None
            self._schedule = KeySchedule(hello.suite, self._session.psk if self._machine.psk and self._session else b"", shared)
            self._shares.clear()
        return self._schedule

    # --- records out ------------------------------------------------------------------------------------------------------------

    def _send(self, message: law.Msg, kind: int, content: bytes) -> None:
        self._watch(True, message)
        for at in range(0, len(content) or 1, _LARGEST):
            piece = content[at : at + _LARGEST]
            if not message.epoch:
                self._outbox += bytes([kind, 3, 3]) + len(piece).to_bytes(2, "big") + piece
            else:
                head = bytes([_DATA, 3, 3]) + (len(piece) + 17).to_bytes(2, "big")
                schedule = self._early if message.epoch == EARLY else self._keys()
                assert schedule is not None
                protection = self._writing.at(message.epoch, schedule, self._machine)
                self._outbox += head + protection.seal(head, piece + bytes([kind]))

    def emit_client_hello(self, o: law.ClientHello) -> None:
        self._send(o, _HANDSHAKE, o.raw)

    def emit_certificate(self, o: law.Certificate) -> None:
        self._send(o, _HANDSHAKE, o.raw)

    def emit_certificate_verify(self, o: law.CertificateVerify) -> None:
        self._send(o, _HANDSHAKE, o.raw)

    def emit_finished(self, o: law.Finished) -> None:
        self._send(o, _HANDSHAKE, o.raw)

    def emit_end_of_early_data(self, o: law.EndOfEarlyData) -> None:
        self.early_taken = True
        self._send(o, _HANDSHAKE, o.raw)

    def emit_key_update(self, o: law.KeyUpdate) -> None:
        self._send(o, _HANDSHAKE, messages.key_update(o.request))

    def emit_ccs(self, o: law.Ccs) -> None:
        self._send(o, _CCS, b"\1")

    def emit_app(self, o: law.App) -> None:
        self._send(o, _DATA, o.content)

    def emit_alert(self, o: law.Alert) -> None:
        if o.level == "fatal":
            self.alert_sent = o.desc
        self._send(o, _ALERT, bytes([1 if o.level == "warning" else 2, messages.ALERTS[o.desc]]))

    # --- what the machine asks --------------------------------------------------------------------------------------------------

    def ask_first_hello(self, compatible: bool, /) -> law.ClientHello:
        self._session_id = self._offer.entropy.octets(32) if compatible else b""
        self._shares = {group: KeyShare(group) for group in self._offer.shares}
        return self._hello(b"", early=bool(self._unsent_early))

    def ask_second_hello(self, first: law.ClientHello, request: law.ServerHello, /) -> law.ClientHello:
        if messages.KEY_SHARE in request.extensions:
            self._shares = {request.group: KeyShare(request.group)}
        if self._session and not same_hash(request.suite, self._session.suite):
            self._session = None
        return self._hello(bytes.fromhex(request.cookie), early=False)

    def _hello(self, cookie: bytes, early: bool) -> law.ClientHello:
        offer = self._offer
        name = "" if is_address(self.name) else self.name
        at = self._today + timedelta(microseconds=self._now - self._started)
        psk = self._session.offered(at, early) if self._session else None
        hello = messages.client_hello(
            self._random, self._session_id, offer.suites, offer.groups, SCHEMES, self._shares.values(), name, offer.protocols, cookie, psk
        )
        if psk is None or self._early is None:
            return hello
        covered = keyed(absorb(self._machine.tr, messages.truncated(hello, psk)), psk.suite)
        return messages.bound(hello, self._early.binder(covered.digest))

    def ask_has_certificate(self, request: law.CertificateRequest, /) -> bool:
        identity = self._offer.identity
        return identity is not None and identity.scheme(request.signatures) is not None

    def ask_own_certificate(self, request: law.CertificateRequest, /) -> law.Certificate:
        assert self._offer.identity is not None
        return messages.certificate(request.context, self._offer.identity.chain)

    def ask_no_certificate(self, request: law.CertificateRequest, /) -> law.Certificate:
        return messages.certificate(request.context, ())

    def ask_own_signature(self, request: law.CertificateRequest, tr: Transcript, /) -> law.CertificateVerify:
        identity = self._offer.identity
        assert identity is not None
        scheme = identity.scheme(request.signatures)
        assert scheme is not None
        return messages.certificate_verify(scheme, identity.sign(scheme, signed_content("client", tr.digest)))

    def ask_own_finished(self, tr: Transcript, /) -> law.Finished:
        return messages.finished(self._verify_data("c", tr))

    def ask_own_eoed(self) -> law.EndOfEarlyData:
        return messages.end_of_early_data()

    def ask_early_piece(self, count: int, /) -> bytes:
        piece = bytes(self._unsent_early[:count])
        del self._unsent_early[:count]
        return piece

    def ask_piece(self, count: int, /) -> bytes:
        piece = bytes(self._unsent[:count])
        del self._unsent[:count]
        return piece

    # --- what it tells ------------------------------------------------------------------------------------------------------------

    def tell_established(self) -> None:
        self.established = True

    def tell_received(self, content: bytes, /) -> None:
        self._received += content

    def tell_ended(self) -> None:
        self.ended = True

    def tell_truncated(self) -> None:
        self.truncated = True

    def tell_failed(self, desc: str, /) -> None:
        self.alert_received = desc

    def tell_ticket(self, m: law.NewSessionTicket, /) -> None:
        machine, schedule = self._machine, self._keys()
        psk = schedule.resumption(machine.tr_client.digest, m.nonce)
        received = self._today + timedelta(microseconds=self._now - self._started)
        lifetime = min(timedelta(seconds=m.lifetime), LONGEST_LIFE)
        self.sessions.append(Session(self.name, schedule.suite, m.ticket, psk, m.age_add, received, lifetime, m.early_limit))


def _alert(body: bytes, epoch: int) -> law.Alert:
    if len(body) != 2:
        return law.Alert(epoch=epoch, ok=False)
    level = "warning" if body[0] == 1 else "fatal"
    return law.Alert(epoch=epoch, level=level, desc=messages.ALERT_NAMES.get(body[1], "unknown_alert"))
