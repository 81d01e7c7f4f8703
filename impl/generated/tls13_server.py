# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/tls/server.law
#   spec/tls/record.law
#   spec/tls/messages.law
#   spec/profiles/tls.profile
"""The server of TLS 1.3 (RFC 9846; edition 8446 for RFC 8446)

Machine tls13.server under profile wirelaw, edition 9846.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step
from wirelaw.impl.externs.transcript import (
    absorb, distinct, in_order, keyed, last, restarted, subset, without,
)

# States of region `hs`.
START: Final = "START"
NEGOTIATE: Final = "NEGOTIATE"
WAIT_CH2: Final = "WAIT_CH2"
SEND_EE: Final = "SEND_EE"
SEND_CR: Final = "SEND_CR"
SEND_CERT: Final = "SEND_CERT"
SEND_CV: Final = "SEND_CV"
SEND_FINISHED: Final = "SEND_FINISHED"
WAIT_CERT: Final = "WAIT_CERT"
WAIT_CV: Final = "WAIT_CV"
WAIT_FINISHED: Final = "WAIT_FINISHED"
CONNECTED: Final = "CONNECTED"
CANCELED: Final = "CANCELED"
FAILED: Final = "FAILED"
CLOSED: Final = "CLOSED"
_HANDSHAKE: Final = frozenset(
    {
        START, NEGOTIATE, WAIT_CH2, SEND_EE, SEND_CR, SEND_CERT, SEND_CV, SEND_FINISHED, WAIT_CERT, WAIT_CV,
        WAIT_FINISHED,
    }
)

# Parameters of profile `wirelaw`; durations in microseconds.
REKEY_AFTER: Final = 16777216
TICKETS_EACH: Final = 2


@dataclass(slots=True)
class Msg:
    """Message `msg`."""

    kind: ClassVar[str] = "msg"
    epoch: int = 0


@dataclass(slots=True)
class Sealed(Msg):
    """Message `sealed`."""

    kind: ClassVar[str] = "sealed"


@dataclass(slots=True)
class Overflow(Msg):
    """Message `overflow`."""

    kind: ClassVar[str] = "overflow"


@dataclass(slots=True)
class Empty(Msg):
    """Message `empty`."""

    kind: ClassVar[str] = "empty"


@dataclass(slots=True)
class Foreign(Msg):
    """Message `foreign`."""

    kind: ClassVar[str] = "foreign"


@dataclass(slots=True)
class Interleaved(Msg):
    """Message `interleaved`."""

    kind: ClassVar[str] = "interleaved"


@dataclass(slots=True)
class Eof(Msg):
    """Message `eof`."""

    kind: ClassVar[str] = "eof"


@dataclass(slots=True)
class Ccs(Msg):
    """Message `ccs`."""

    kind: ClassVar[str] = "ccs"
    ok: bool = True


@dataclass(slots=True)
class Alert(Msg):
    """Message `alert`."""

    kind: ClassVar[str] = "alert"
    ok: bool = True
    level: str = "fatal"
    desc: Any = None


@dataclass(slots=True)
class App(Msg):
    """Message `app`."""

    kind: ClassVar[str] = "app"
    len: int = 0
    content: Any = None


@dataclass(slots=True)
class Handshake(Msg):
    """Message `handshake`."""

    kind: ClassVar[str] = "handshake"
    ok: bool = True
    aligned: bool = True
    raw: Any = None
    extensions: Any = None


@dataclass(slots=True)
class ClientHello(Handshake):
    """Message `client_hello`."""

    kind: ClassVar[str] = "client_hello"
    legacy_version: int = 0
    random: Any = None
    session_id: Any = None
    compression: Any = None
    suites: Any = None
    versions: Any = None
    groups: Any = None
    shares: Any = None
    signatures: Any = None
    share_count: int = 0
    cookie: Any = None
    identities: int = 0
    psk_suite: int = 0
    binders_ok: bool = False


@dataclass(slots=True)
class ServerHello(Handshake):
    """Message `server_hello`."""

    kind: ClassVar[str] = "server_hello"
    legacy_version: int = 0
    random: Any = None
    session_id: Any = None
    downgrade: Any = None
    suite: int = 0
    compression: int = 0
    version: int = 0
    group: int = 0
    cookie: Any = None
    share: Any = None
    share_ok: bool = True
    selected: int = 0


@dataclass(slots=True)
class EncryptedExtensions(Handshake):
    """Message `encrypted_extensions`."""

    kind: ClassVar[str] = "encrypted_extensions"


@dataclass(slots=True)
class CertificateRequest(Handshake):
    """Message `certificate_request`."""

    kind: ClassVar[str] = "certificate_request"
    context: Any = None
    signatures: Any = None


@dataclass(slots=True)
class Certificate(Handshake):
    """Message `certificate`."""

    kind: ClassVar[str] = "certificate"
    context: Any = None
    count: int = 0
    chain: Any = None
    entry_extensions: Any = None
    path: Any = None


@dataclass(slots=True)
class CertificateVerify(Handshake):
    """Message `certificate_verify`."""

    kind: ClassVar[str] = "certificate_verify"
    algorithm: int = 0
    signature: Any = None
    fits_key: bool = False
    signed: bool = False


@dataclass(slots=True)
class Finished(Handshake):
    """Message `finished`."""

    kind: ClassVar[str] = "finished"
    verify_data: Any = None
    verified: bool = False


@dataclass(slots=True)
class NewSessionTicket(Handshake):
    """Message `new_session_ticket`."""

    kind: ClassVar[str] = "new_session_ticket"
    lifetime: int = 0
    age_add: int = 0
    early_limit: int = 0
    nonce: Any = None
    ticket: Any = None


@dataclass(slots=True)
class KeyUpdate(Handshake):
    """Message `key_update`."""

    kind: ClassVar[str] = "key_update"
    request: int = 0


@dataclass(slots=True)
class EndOfEarlyData(Handshake):
    """Message `end_of_early_data`."""

    kind: ClassVar[str] = "end_of_early_data"


@dataclass(slots=True)
class UnknownHandshake(Handshake):
    """Message `unknown_handshake`."""

    kind: ClassVar[str] = "unknown_handshake"


class Tls13ServerHost(Protocol):
    """What surrounds the machine."""

    def emit_ccs(self, o: Ccs) -> None:
        """Carry the message away."""

    def emit_alert(self, o: Alert) -> None:
        """Carry the message away."""

    def emit_app(self, o: App) -> None:
        """Carry the message away."""

    def emit_server_hello(self, o: ServerHello) -> None:
        """Carry the message away."""

    def emit_encrypted_extensions(self, o: EncryptedExtensions) -> None:
        """Carry the message away."""

    def emit_certificate_request(self, o: CertificateRequest) -> None:
        """Carry the message away."""

    def emit_certificate(self, o: Certificate) -> None:
        """Carry the message away."""

    def emit_certificate_verify(self, o: CertificateVerify) -> None:
        """Carry the message away."""

    def emit_finished(self, o: Finished) -> None:
        """Carry the message away."""

    def emit_new_session_ticket(self, o: NewSessionTicket) -> None:
        """Carry the message away."""

    def emit_key_update(self, o: KeyUpdate) -> None:
        """Carry the message away."""

    def tell_received(self, content: Any, /) -> None:
        """Take news from the machine."""

    def tell_ended(self, /) -> None:
        """Take news from the machine."""

    def tell_truncated(self, /) -> None:
        """Take news from the machine."""

    def tell_failed(self, desc: Any, /) -> None:
        """Take news from the machine."""

    def ask_piece(self, count: int, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_can_agree(self, ch: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def ask_can_share(self, ch: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def ask_own_hello(self, ch: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_retry(self, ch: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_extensions(self, ch: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_request(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_certificate(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_signature(self, tr: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_finished(self, tr: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_ticket(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def tell_established(self, /) -> None:
        """Take news from the machine."""


class Tls13Server:
    """One tls13.server: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: Tls13ServerHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: Tls13ServerHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.hs: str = START
        self.rd: int = 0
        self.wr: int = 0
        self.rd_closed: bool = False
        self.wr_closed: bool = False
        self.started: bool = False
        self.peer_fin: bool = False
        self.own_fin: bool = False
        self.ku_due: bool = False
        self.ku_asked: bool = False
        self.sent_records: int = 0
        self.suite: int = 0
        self.unsent: int = 0
        self.closing: bool = False
        self.refresh: bool = False
        self.ccs_gone: bool = False
        self.ch: Any = None
        self.hrr: Any = None
        self.retried: bool = False
        self.cr: Any = None
        self.asked: bool = False
        self.tr: Any = None
        self.tr_hello: Any = None
        self.tr_server: Any = None
        self.tr_client: Any = None
        self.tickets: int = 0

    def on_msg(self, m: Any, now: int) -> None:
        """Take `msg` through record, framing, order, form, version, client_hello, certificate,
        certificate_verify, boundary, finished, update; then `pump`.
        """
        kind = m.kind
        if kind == "client_hello":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._version(m, now)
                and self._client_hello(m, now)
            )
            return
        if kind == "server_hello":
            self._record(m, now) and self._order(m, now) and self._form(m, now) and self._boundary(m, now)
            return
        if kind == "certificate":
            self._record(m, now) and self._order(m, now) and self._form(m, now) and self._certificate(m, now)
            return
        if kind == "certificate_verify":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._certificate_verify(m, now)
            )
            return
        if kind == "finished":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._boundary(m, now)
                and self._finished(m, now)
            )
            return
        if kind == "key_update":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._boundary(m, now)
                and self._update(m, now)
            )
            return
        if kind in ("msg", "sealed", "overflow", "eof"):
            self._record(m, now)
            return
        if kind in ("empty", "foreign", "interleaved", "ccs", "alert", "app"):
            self._record(m, now) and self._framing(m, now)
            return
        self._record(m, now) and self._order(m, now) and self._form(m, now)

    def _record(self, m: Any, now: int) -> bool:
        """Table `record` (rfc9846:6/2)."""
        kind = m.kind
        if kind == "sealed":
            st = self.hs
            if st == FAILED or st == CLOSED:
                # [rec.over] rfc9846:6/2 MUST_NOT, rfc9846:6.2/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "rec.over", m.kind, m))
                return False
            if self.rd_closed:  # [sealed.late] rfc9846:6.1/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "sealed.late", m.kind, m))
                return False
            if self.rd == 0:  # [sealed.early] rfc9846:5/5 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "sealed.early", m.kind, m))
                return False
            # [sealed.mac] rfc9846:5.2/3 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="bad_record_mac"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "record", "sealed.mac", m.kind, m))
            return False
        if kind == "overflow":
            st = self.hs
            if st == FAILED or st == CLOSED:
                # [rec.over] rfc9846:6/2 MUST_NOT, rfc9846:6.2/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "rec.over", m.kind, m))
                return False
            if self.rd_closed:  # [overflow.late] rfc9846:6.1/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "overflow.late", m.kind, m))
                return False
            # [overflow.in] rfc9846:5.1/10 MUST, rfc9846:5.2/2 MUST, rfc9846:5.4/6 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="record_overflow"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "record", "overflow.in", m.kind, m))
            return False
        if kind == "eof":
            st = self.hs
            if st == FAILED or st == CLOSED:
                # [rec.over] rfc9846:6/2 MUST_NOT, rfc9846:6.2/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "rec.over", m.kind, m))
                return False
            if self.rd_closed:  # [eof.clean] rfc9846:6.1/5 MUST_NOT
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "eof.clean", m.kind, m))
                return False
            # [eof.cut] rfc9846:6.1/6 MUST
            self.host.tell_truncated()
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "record", "eof.cut", m.kind, m))
            return False
        if kind == "ccs":
            st = self.hs
            if st == FAILED or st == CLOSED:
                # [rec.over] rfc9846:6/2 MUST_NOT, rfc9846:6.2/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "rec.over", m.kind, m))
                return False
            if self.rd_closed:  # [ccs.late] rfc9846:6.1/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "record", "ccs.late", m.kind, m))
                return False
            # [ccs.any] rfc9846:5/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "record", "ccs.any", m.kind, m))
            return True
        st = self.hs
        if st == FAILED or st == CLOSED:
            # [rec.over] rfc9846:6/2 MUST_NOT, rfc9846:6.2/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "record", "rec.over", m.kind, m))
            return False
        if self.rd_closed:  # [rec.late] rfc9846:6.1/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "record", "rec.late", m.kind, m))
            return False
        # [rec.epoch] rfc9846:5.3/1 MUST, rfc9846:5.1/9 MUST, rfc9846:5.5/new-3 SHOULD_NOT
        if m.epoch == self.rd:
            if self.on_step is not None:
                self.on_step(Step(now, "record", "rec.epoch", m.kind, m))
            return True
        if self.rd == 0:  # [rec.early] rfc9846:5/5 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "record", "rec.early", m.kind, m))
            return False
        if m.epoch == 0:  # [rec.plain] rfc9846:5/5 MUST, rfc9846:5.1/12 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "record", "rec.plain", m.kind, m))
            return False
        # [rec.stale] rfc9846:4.7.3/6 MUST, rfc9846:4.7.3/7 MUST
        self.host.emit_alert(Alert(epoch=self.wr, desc="bad_record_mac"))
        self.hs = FAILED
        if self.on_step is not None:
            self.on_step(Step(now, "record", "rec.stale", m.kind, m))
        return False

    def _framing(self, m: Any, now: int) -> bool:
        """Table `framing` (rfc9846:5.4/3)."""
        kind = m.kind
        if kind == "empty":
            # [empty.in] rfc9846:5.4/3 MUST_NOT, rfc9846:5.1/5 MUST_NOT, rfc9846:5.4/5 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "empty.in", m.kind, m))
            return False
        if kind == "foreign":
            # [foreign.in] rfc9846:5/5 MUST, rfc9846:5/4 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "foreign.in", m.kind, m))
            return False
        if kind == "interleaved":
            # [interleaved.in] rfc9846:5.1/2 MUST_NOT, rfc9846:5.1/3 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "interleaved.in", m.kind, m))
            return False
        if kind == "ccs":
            if m.ok and m.epoch == 0 and self.started and not self.peer_fin:  # [ccs.drop] rfc9846:5/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "framing", "ccs.drop", m.kind, m))
                return False
            # [ccs.bad] rfc9846:5/2 MUST, rfc9846:5/3 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "ccs.bad", m.kind, m))
            return False
        if kind == "alert":
            if not m.ok:  # [alert.torn] rfc9846:5.1/6 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="decode_error"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "framing", "alert.torn", m.kind, m))
                return False
            # [alert.closed] rfc9846:6/1 SHOULD, rfc9846:6.1/3 MAY
            if m.desc == "close_notify" and self.wr_closed:
                self.rd_closed = True
                self.host.tell_ended()
                self.hs = CLOSED
                if self.on_step is not None:
                    self.on_step(Step(now, "framing", "alert.closed", m.kind, m))
                return False
            # [alert.close] rfc9846:6/1 SHOULD, rfc9846:6.1/3 MAY, rfc9846:6.1/5 MUST_NOT
            if m.desc == "close_notify":
                self.rd_closed = True
                self.host.tell_ended()
                if self.on_step is not None:
                    self.on_step(Step(now, "framing", "alert.close", m.kind, m))
                return False
            if m.desc == "user_canceled":  # [alert.cancel] rfc9846:6.1/new-2 MUST, rfc8446:6.1/2 SHOULD
                if self.on_step is not None:
                    self.on_step(Step(now, "framing", "alert.cancel", m.kind, m))
                return False
            # [alert.error] rfc9846:6/4 MUST, rfc9846:6/5 MUST, rfc9846:6.2/1 MUST
            self.host.tell_failed(m.desc)
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "alert.error", m.kind, m))
            return False
        st = self.hs
        if st == CONNECTED:
            # [app.in] rfc9846:4.5.3/3 MUST, rfc9846:5.1/7 MAY
            self.host.tell_received(m.content)
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "app.in", m.kind, m))
            return False
        if st in _HANDSHAKE:
            # [app.early] rfc9846:2/2 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "framing", "app.early", m.kind, m))
            return False
        return True

    def _order(self, m: Any, now: int) -> bool:
        """Table `order` (rfc9846:4/1)."""
        kind = m.kind
        if kind == "client_hello":
            st = self.hs
            if st == CONNECTED:
                # [late.ch] rfc9846:4.2.2/3 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "late.ch", m.kind, m))
                return False
            if st == START or st == WAIT_CH2:
                # [due.ch] rfc9846:4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.ch", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "certificate":
            st = self.hs
            if st == WAIT_CERT:
                # [due.cert] rfc9846:4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.cert", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "certificate_verify":
            st = self.hs
            if st == WAIT_CV:
                # [due.cv] rfc9846:4/1 MUST, rfc9846:4.5.2/3 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.cv", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "finished":
            st = self.hs
            if st == WAIT_FINISHED:
                # [due.fin] rfc9846:4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.fin", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "key_update":
            st = self.hs
            if st == CONNECTED:
                # [due.update] rfc9846:4.7.3/3 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.update", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "end_of_early_data":
            # [no.eoed] rfc9846:4.6/2 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "no.eoed", m.kind, m))
            return False
        # [stray] rfc9846:4/2 MUST
        self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
        self.hs = FAILED
        if self.on_step is not None:
            self.on_step(Step(now, "order", "stray", m.kind, m))
        return False

    def _form(self, m: Any, now: int) -> bool:
        """Table `form` (rfc9846:6/6)."""
        if not m.ok:  # [form.broken] rfc9846:6/6 MUST, rfc9846:4.3/new-2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="decode_error"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "form", "form.broken", m.kind, m))
            return False
        if not distinct(m.extensions):  # [form.twice] rfc9846:4.3/6 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "form", "form.twice", m.kind, m))
            return False
        # [form.ok] rfc9846:5.1/1 MAY
        if self.on_step is not None:
            self.on_step(Step(now, "form", "form.ok", m.kind, m))
        return True

    def _version(self, m: Any, now: int) -> bool:
        """Table `version` (rfc9846:5.1/4)."""
        st = self.hs
        if st == START or st == WAIT_CH2:
            if not m.aligned:  # [ch.edge] rfc9846:5.1/4 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "version", "ch.edge", m.kind, m))
                return False
            if m.legacy_version != 771:  # [ch.legacy] rfc9846:4.2.2/new-1 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="protocol_version"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "version", "ch.legacy", m.kind, m))
                return False
            if 772 not in (m.versions or ()):  # [ch.unversioned] rfc9846:4.3.1/4 MUST, rfc9846:4.3.1/5 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="protocol_version"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "version", "ch.unversioned", m.kind, m))
                return False
            # [ch.versioned] rfc9846:4.3.1/4 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "version", "ch.versioned", m.kind, m))
            return True
        return True

    def _client_hello(self, m: Any, now: int) -> bool:
        """Table `client_hello` (rfc9846:4.2.2/14)."""
        st = self.hs
        if st == START or st == WAIT_CH2:
            if m.compression != "00":  # [ch.compressed] rfc9846:4.2.2/14 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch.compressed", m.kind, m))
                return False
            # [ch.incomplete] rfc9846:9.2/4 MUST
            if not (10 in (m.extensions or ()) and 51 in (m.extensions or ()) and 13 in (m.extensions or ())):
                self.host.emit_alert(Alert(epoch=self.wr, desc="missing_extension"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch.incomplete", m.kind, m))
                return False
            if 41 in (m.extensions or ()) and last(m.extensions) != 41:  # [ch.psk] rfc9846:4.3.11/14 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch.psk", m.kind, m))
                return False
            # [ch.untidy] rfc9846:4.3.8/6 MAY
            if not (distinct(m.groups) and distinct(m.shares) and in_order(m.shares, m.groups)):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch.untidy", m.kind, m))
                return False
            # [ch.again] rfc9846:4.2.2/2 MUST, rfc9846:4.3.8/9 MUST
            if (
                st == WAIT_CH2
                and m.random == self.ch.random
                and m.session_id == self.ch.session_id
                and m.suites == self.ch.suites
                and m.groups == self.ch.groups
                and m.versions == self.ch.versions
                and (
                    51 not in (self.hrr.extensions or ())
                    or (self.hrr.group in (m.shares or ()) and m.share_count == 1)
                )
            ):
                self.ch = m
                self.started = True
                self.tr = absorb(self.tr, m.raw)
                self.hs = NEGOTIATE
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch.again", m.kind, m))
                return False
            if st == START:  # [ch] rfc9846:4.2.2/11 MUST, rfc9846:4.2.2/16 MUST
                self.ch = m
                self.started = True
                self.tr = absorb(self.tr, m.raw)
                self.hs = NEGOTIATE
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch", m.kind, m))
                return False
            if st == WAIT_CH2:  # [ch.changed] rfc9846:4.2.2/2 MUST, rfc9846:4.3.8/9 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "client_hello", "ch.changed", m.kind, m))
                return False
            raise IncompleteTableError("tls13.server", "client_hello", m.kind)
        return True

    def _certificate(self, m: Any, now: int) -> bool:
        """Table `certificate` (rfc9846:4.5.1/5)."""
        st = self.hs
        if st == WAIT_CERT:
            if m.context != "":  # [cert.context] rfc9846:4.5.1/5 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.context", m.kind, m))
                return False
            if m.count == 0:  # [cert.none] rfc9846:4.5.1.3/2 MAY
                self.tr = absorb(self.tr, m.raw)
                self.hs = WAIT_FINISHED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.none", m.kind, m))
                return False
            if m.path == "trusted":  # [cert] rfc9846:4.5.1/1 MUST
                self.tr = absorb(self.tr, m.raw)
                self.hs = WAIT_CV
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert", m.kind, m))
                return False
            # [cert.bad] rfc9846:4.5.1.3/3 MAY
            self.host.emit_alert(Alert(epoch=self.wr, desc="unknown_ca"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "certificate", "cert.bad", m.kind, m))
            return False
        return True

    def _certificate_verify(self, m: Any, now: int) -> bool:
        """Table `certificate_verify` (rfc9846:4.5.2/5)."""
        st = self.hs
        if st == WAIT_CV:
            # [cv.unoffered] rfc9846:4.5.2/5 MUST, rfc9846:4.5.2/7 MUST, rfc9846:4.5.2/8 MUST_NOT
            if (m.algorithm not in (self.cr.signatures or ()) or m.algorithm in (513, 515, 1025, 1281, 1537)):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_verify", "cv.unoffered", m.kind, m))
                return False
            if not m.fits_key:  # [cv.key] rfc9846:4.5.2/6 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_verify", "cv.key", m.kind, m))
                return False
            if not m.signed:  # [cv.forged] rfc9846:4.5.2/9 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="decrypt_error"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_verify", "cv.forged", m.kind, m))
                return False
            # [cv] rfc9846:4.5.2/2 MUST
            self.tr = absorb(self.tr, m.raw)
            self.hs = WAIT_FINISHED
            if self.on_step is not None:
                self.on_step(Step(now, "certificate_verify", "cv", m.kind, m))
            return False
        return True

    def _boundary(self, m: Any, now: int) -> bool:
        """Table `boundary` (rfc9846:5.1/4)."""
        kind = m.kind
        if kind == "server_hello":
            # [edge.retry] rfc9846:5.1/4 MUST
            if m.random == "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c":
                if self.on_step is not None:
                    self.on_step(Step(now, "boundary", "edge.retry", m.kind, m))
                return True
            if not m.aligned:  # [edge.hello] rfc9846:5.1/4 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "boundary", "edge.hello", m.kind, m))
                return False
            # [edge.hello.ok] rfc9846:5.1/4 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "boundary", "edge.hello.ok", m.kind, m))
            return True
        if kind == "finished":
            if not m.aligned:  # [edge.fin] rfc9846:5.1/4 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "boundary", "edge.fin", m.kind, m))
                return False
            # [edge.fin.ok] rfc9846:5.1/4 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "boundary", "edge.fin.ok", m.kind, m))
            return True
        if not m.aligned:  # [edge.update] rfc9846:5.1/4 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "boundary", "edge.update", m.kind, m))
            return False
        # [edge.update.ok] rfc9846:5.1/4 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "boundary", "edge.update.ok", m.kind, m))
        return True

    def _finished(self, m: Any, now: int) -> bool:
        """Table `finished` (rfc9846:4.5.3/1)."""
        st = self.hs
        if st == WAIT_FINISHED:
            if not m.verified:  # [fin.forged] rfc9846:4.5.3/1 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="decrypt_error"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "finished", "fin.forged", m.kind, m))
                return False
            # [fin] rfc9846:4.5.3/1 MUST, rfc9846:4.5.3/3 MUST
            self.tr = absorb(self.tr, m.raw)
            self.tr_client = self.tr
            self.rd = 3
            self.peer_fin = True
            self.host.tell_established()
            self.hs = CONNECTED
            if self.on_step is not None:
                self.on_step(Step(now, "finished", "fin", m.kind, m))
            return False
        return True

    def _update(self, m: Any, now: int) -> bool:
        """Table `update` (rfc9846:4.7.3/4)."""
        st = self.hs
        if st == CONNECTED:
            if m.request > 1:  # [ku.value] rfc9846:4.7.3/4 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "update", "ku.value", m.kind, m))
                return False
            # [ku.asked] rfc9846:4.7.3/3 MUST, rfc9846:4.7.3/5 MUST, rfc9846:4.7.3/new-3 MUST_NOT,
            #     rfc9846:4.7.3/new-4 MUST_NOT
            if m.request == 1:
                self.rd += 1
                self.ku_asked = False
                self.ku_due = self.wr < 3 + 281474976710655
                if self.on_step is not None:
                    self.on_step(Step(now, "update", "ku.asked", m.kind, m))
                return False
            # [ku.told] rfc9846:4.7.3/3 MUST, rfc9846:4.7.3/new-1 MUST_NOT
            self.rd += 1
            self.ku_asked = False
            if self.on_step is not None:
                self.on_step(Step(now, "update", "ku.told", m.kind, m))
            return False
        return True

    def call_write(self, count: int, now: int) -> str | None:
        """The user's call `write`; the code of a refusal, or None."""
        # [call.write] rfc9846:5.1/7 MAY
        self.unsent += count
        if self.on_step is not None:
            self.on_step(Step(now, "calls", "call.write", "write", None))
        return None

    def call_close(self, now: int) -> str | None:
        """The user's call `close`; the code of a refusal, or None."""
        # [call.close] rfc9846:6.1/4 MUST
        self.closing = True
        if self.on_step is not None:
            self.on_step(Step(now, "calls", "call.close", "close", None))
        return None

    def call_rekey(self, now: int) -> str | None:
        """The user's call `rekey`; the code of a refusal, or None."""
        # [call.rekey] rfc9846:4.7.3/2 MUST
        self.refresh = True
        if self.on_step is not None:
            self.on_step(Step(now, "calls", "call.rekey", "rekey", None))
        return None

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        return None

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.hs
            if st == NEGOTIATE:
                if not self.retried and self.host.ask_can_agree(self.ch) and self._out_sh(now):  # [sh]
                    continue
                # [sh.again]
                if self.retried and self.host.ask_can_agree(self.ch) and self._out_sh_again(now):
                    continue
                if not self.retried and self.host.ask_can_agree(self.ch) and self._out_hrr(now):  # [hrr]
                    continue
                if self._out_no_match(now):  # [no.match]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == SEND_EE:
                # [tx.ccs]
                if self.started and not self.own_fin and not self.wr_closed and self._out_tx_ccs(now):
                    continue
                if self._out_ee(now):  # [ee]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == SEND_CV:
                if self._out_cv_own(now):  # [cv.own]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == SEND_FINISHED:
                if self.asked and self._out_fin_asked(now):  # [fin.asked]
                    continue
                if not self.asked and self._out_fin_own(now):  # [fin.own]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == CONNECTED:
                if self.ku_due and not self.wr_closed and self._out_ku_reply(now):  # [ku.reply]
                    continue
                if not self.ku_asked and not self.wr_closed and self._out_ku_ask(now):  # [ku.ask]
                    continue
                if not self.ku_due and not self.wr_closed and self._out_ku_tell(now):  # [ku.tell]
                    continue
                if not self.wr_closed and self.tickets < TICKETS_EACH and self._out_ticket(now):  # [ticket]
                    continue
                if self.unsent > 0 and self._out_tx_app(now):  # [tx.app]
                    continue
                # [tx.close]
                if not self.wr_closed and not self.rd_closed and self.closing and self._out_tx_close(now):
                    continue
                # [tx.closed]
                if not self.wr_closed and self.rd_closed and self.closing and self._out_tx_closed(now):
                    continue
                return
            if st == CANCELED:
                if self._out_tx_canceled(now):  # [tx.canceled]
                    continue
                return
            if st == START or st == WAIT_CH2:
                # [tx.ccs]
                if self.started and not self.own_fin and not self.wr_closed and self._out_tx_ccs(now):
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == SEND_CR or st == SEND_CERT:
                if self._out_cert_own(now):  # [cert.own]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == FAILED or st == CLOSED:
                return
            if self.unsent > 0 and self._out_tx_half(now):  # [tx.half]
                continue
            if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                continue
            return
        raise EndlessOutputError("tls13.server", self.hs)

    def _out_sh(self, now: int) -> bool:
        """[sh] rfc9846:4.2.3/1 MUST, rfc9846:4.2.3/3 MUST, rfc9846:4.2.3/4 MUST, rfc9846:4.2.3/5 MUST,
        rfc9846:4.2.3/6 MUST, rfc9846:4.2.3/7 MUST, rfc9846:4.3.1/9 MUST, rfc9846:4.3.8/10 MUST,
        rfc9846:4.3.8/11 MUST_NOT.
        """
        if not self.host.ask_can_share(self.ch):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_hello(self.ch)
        o = ServerHello(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            legacy_version=made.legacy_version,
            random=made.random,
            session_id=made.session_id,
            downgrade=made.downgrade,
            suite=made.suite,
            compression=made.compression,
            version=made.version,
            group=made.group,
            cookie=made.cookie,
            share=made.share,
            share_ok=made.share_ok,
            selected=made.selected,
        )
        if not (
            o.ok
            and o.legacy_version == 771
            and o.session_id == self.ch.session_id
            and o.suite in (self.ch.suites or ())
            and o.compression == 0
            and o.version == 772
            and 43 in (o.extensions or ())
            and distinct(o.extensions)
            and 51 in (o.extensions or ())
            and subset(without(without(o.extensions, 43), 51), None)
            and o.group in (self.ch.shares or ())
            and o.share_ok
            and o.aligned
            and o.random != "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
        ):
            return False
        self.tr = absorb(keyed(self.tr, o.suite), o.raw)
        self._do_keyed_by(o)
        self.host.emit_server_hello(o)
        self.hs = SEND_EE
        if self.on_step is not None:
            self.on_step(Step(now, "out", "sh", "server_hello", o))
        return True

    def _out_sh_again(self, now: int) -> bool:
        """[sh.again] rfc9846:4.2.4/9 MUST, rfc9846:4.3.8/13 MUST, rfc9846:4.2.4/12 MUST."""
        if not self.host.ask_can_share(self.ch):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_hello(self.ch)
        o = ServerHello(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            legacy_version=made.legacy_version,
            random=made.random,
            session_id=made.session_id,
            downgrade=made.downgrade,
            suite=made.suite,
            compression=made.compression,
            version=made.version,
            group=made.group,
            cookie=made.cookie,
            share=made.share,
            share_ok=made.share_ok,
            selected=made.selected,
        )
        if not (
            o.ok
            and o.legacy_version == 771
            and o.session_id == self.ch.session_id
            and o.suite in (self.ch.suites or ())
            and o.compression == 0
            and o.version == 772
            and 43 in (o.extensions or ())
            and distinct(o.extensions)
            and 51 in (o.extensions or ())
            and subset(without(without(o.extensions, 43), 51), None)
            and o.group in (self.ch.shares or ())
            and o.share_ok
            and o.aligned
            and o.suite == self.hrr.suite
            and (51 not in (self.hrr.extensions or ()) or o.group == self.hrr.group)
            and o.random != "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
        ):
            return False
        self.tr = absorb(self.tr, o.raw)
        self._do_keyed_by(o)
        self.host.emit_server_hello(o)
        self.hs = SEND_EE
        if self.on_step is not None:
            self.on_step(Step(now, "out", "sh.again", "server_hello", o))
        return True

    def _out_hrr(self, now: int) -> bool:
        """[hrr] rfc9846:4.2.1/3 MUST, rfc9846:4.2.4/1 MUST, rfc9846:4.2.4/3 MUST_NOT, rfc9846:4.3.8/7 MUST,
        rfc9846:4.3.8/8 MUST.
        """
        if self.host.ask_can_share(self.ch):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_retry(self.ch)
        o = ServerHello(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            legacy_version=made.legacy_version,
            random="cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c",
            session_id=made.session_id,
            downgrade=made.downgrade,
            suite=made.suite,
            compression=made.compression,
            version=made.version,
            group=made.group,
            cookie=made.cookie,
            share=made.share,
            share_ok=made.share_ok,
            selected=made.selected,
        )
        if not (
            o.ok
            and o.legacy_version == 771
            and o.session_id == self.ch.session_id
            and o.suite in (self.ch.suites or ())
            and o.compression == 0
            and o.version == 772
            and 43 in (o.extensions or ())
            and distinct(o.extensions)
            and subset(without(without(without(o.extensions, 43), 51), 44), None)
            and (51 in (o.extensions or ()) or 44 in (o.extensions or ()))
            and (
                51 not in (o.extensions or ())
                or (o.group in (self.ch.groups or ()) and o.group not in (self.ch.shares or ()))
            )
        ):
            return False
        self.hrr = o
        self.retried = True
        self.suite = o.suite
        self.tr = absorb(restarted(self.tr, o.suite), o.raw)
        self.host.emit_server_hello(o)
        self.hs = WAIT_CH2
        if self.on_step is not None:
            self.on_step(Step(now, "out", "hrr", "server_hello", o))
        return True

    def _out_no_match(self, now: int) -> bool:
        """[no.match] rfc9846:4.2.1/4 MUST, rfc9846:4.2.1/1 MUST."""
        if not (
            not self.host.ask_can_agree(self.ch) or (self.retried and not self.host.ask_can_share(self.ch))
        ):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        o = Alert(epoch=self.wr, desc="handshake_failure")
        self.host.emit_alert(o)
        self.hs = FAILED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "no.match", "alert", o))
        return True

    def _out_tx_ccs(self, now: int) -> bool:
        """[tx.ccs] rfc9846:5/1 MUST."""
        if not (not self.ccs_gone and self.hs in (SEND_EE, WAIT_CH2)):
            return False
        o = Ccs()
        self.ccs_gone = True
        self.host.emit_ccs(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.ccs", "ccs", o))
        return True

    def _out_ee(self, now: int) -> bool:
        """[ee] rfc9846:4.4.1/1 MUST, rfc9846:4.4.1/2 MUST, rfc9846:4.3/2 MUST_NOT."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_extensions(self.ch)
        o = EncryptedExtensions(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
        )
        if not (
            o.ok
            and distinct(o.extensions)
            and subset(o.extensions, self.ch.extensions)
            and not (
                43 in (o.extensions or ())
                or 51 in (o.extensions or ())
                or 44 in (o.extensions or ())
                or 13 in (o.extensions or ())
                or 41 in (o.extensions or ())
            )
        ):
            return False
        self.tr = absorb(self.tr, o.raw)
        self.host.emit_encrypted_extensions(o)
        self.hs = SEND_CR
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ee", "encrypted_extensions", o))
        return True

    def _out_cert_own(self, now: int) -> bool:
        """[cert.own] rfc9846:4.5.1/1 MUST, rfc9846:4.5.1/5 MUST, rfc9846:4.5.1/7 MUST."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_certificate()
        o = Certificate(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            context=made.context,
            count=made.count,
            chain=made.chain,
            entry_extensions=made.entry_extensions,
            path=made.path,
        )
        if not (o.ok and o.context == "" and o.count > 0 and subset(o.entry_extensions, self.ch.extensions)):
            return False
        self.tr = absorb(self.tr, o.raw)
        self.host.emit_certificate(o)
        self.hs = SEND_CV
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cert.own", "certificate", o))
        return True

    def _out_cv_own(self, now: int) -> bool:
        """[cv.own] rfc9846:4.5.2/1 MUST, rfc9846:4.5.2/3 MUST, rfc9846:4.5.2/4 MUST, rfc9846:4.5.2/6 MUST,
        rfc9846:4.5.2/7 MUST, rfc9846:4.5.2/8 MUST_NOT, rfc9846:4.5.2/9 MUST.
        """
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_signature(self.tr)
        o = CertificateVerify(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            algorithm=made.algorithm,
            signature=made.signature,
            fits_key=made.fits_key,
            signed=made.signed,
        )
        if not (
            o.ok
            and o.algorithm in (self.ch.signatures or ())
            and o.algorithm not in (513, 515, 1025, 1281, 1537)
            and o.fits_key
            and o.signed
        ):
            return False
        self.tr = absorb(self.tr, o.raw)
        self.host.emit_certificate_verify(o)
        self.hs = SEND_FINISHED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cv.own", "certificate_verify", o))
        return True

    def _out_fin_asked(self, now: int) -> bool:
        """[fin.asked] rfc9846:4.5.3/3 MUST."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_finished(self.tr)
        o = Finished(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            verify_data=made.verify_data,
            verified=made.verified,
        )
        if not (o.ok and o.verified and o.aligned):
            return False
        self._do_own_done(o)
        self.host.emit_finished(o)
        self.hs = WAIT_CERT
        if self.on_step is not None:
            self.on_step(Step(now, "out", "fin.asked", "finished", o))
        return True

    def _out_fin_own(self, now: int) -> bool:
        """[fin.own] rfc9846:4.5.3/3 MUST."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_finished(self.tr)
        o = Finished(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            verify_data=made.verify_data,
            verified=made.verified,
        )
        if not (o.ok and o.verified and o.aligned):
            return False
        self._do_own_done(o)
        self.host.emit_finished(o)
        self.hs = WAIT_FINISHED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "fin.own", "finished", o))
        return True

    def _out_tx_canceled(self, now: int) -> bool:
        """[tx.canceled] rfc9846:6.1/new-2 MUST, rfc8446:6.1/2 SHOULD."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        o = Alert(epoch=self.wr, level="warning", desc="close_notify")
        self.wr_closed = True
        self.host.emit_alert(o)
        self.hs = CLOSED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.canceled", "alert", o))
        return True

    def _out_ku_reply(self, now: int) -> bool:
        """[ku.reply] rfc9846:4.7.3/5 MUST, rfc9846:4.7.3/2 MUST, rfc9846:4.7.3/6 MUST."""
        o = KeyUpdate(epoch=self.wr)
        self.wr += 1
        self.ku_due = False
        self.sent_records = 0
        self.host.emit_key_update(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ku.reply", "key_update", o))
        return True

    def _out_ku_ask(self, now: int) -> bool:
        """[ku.ask] rfc9846:4.7.3/new-1 MUST_NOT, rfc9846:4.7.3/new-2 MUST_NOT, rfc9846:5.5/new-1 MUST,
        rfc9846:5.3/2 MUST, rfc8446:5.5/1 SHOULD.
        """
        if not (self.wr < 3 + 281474976710655 and (self.refresh or self.sent_records >= REKEY_AFTER)):
            return False
        o = KeyUpdate(epoch=self.wr, request=1)
        self.wr += 1
        self.ku_asked = True
        self.sent_records = 0
        self.refresh = False
        self.host.emit_key_update(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ku.ask", "key_update", o))
        return True

    def _out_ku_tell(self, now: int) -> bool:
        """[ku.tell] rfc9846:4.7.3/2 MUST, rfc9846:5.5/new-1 MUST."""
        if not (self.wr < 3 + 281474976710655 and self.ku_asked and self.sent_records >= REKEY_AFTER):
            return False
        o = KeyUpdate(epoch=self.wr)
        self.wr += 1
        self.sent_records = 0
        self.host.emit_key_update(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ku.tell", "key_update", o))
        return True

    def _out_ticket(self, now: int) -> bool:
        """[ticket] rfc9846:4.7.1/1 MAY, rfc9846:4.7.1/6 MUST_NOT."""
        made = self.host.ask_own_ticket()
        o = NewSessionTicket(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            lifetime=made.lifetime,
            age_add=made.age_add,
            early_limit=made.early_limit,
            nonce=made.nonce,
            ticket=made.ticket,
        )
        if not (o.ok and o.lifetime <= 604800):
            return False
        self.tickets += 1
        self.host.emit_new_session_ticket(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ticket", "new_session_ticket", o))
        return True

    def _out_tx_half(self, now: int) -> bool:
        """[tx.half] rfc9846:5.1/7 MAY."""
        # [w.app] rfc9846:2/2 MUST_NOT, rfc9846:4.7.3/5 MUST, rfc9846:5.1/12 MUST_NOT
        if not ((self.own_fin or self.wr == 1) and not self.ku_due):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        o = App(
            epoch=self.wr,
            len=min(self.unsent, 16384),
            content=self.host.ask_piece(min(self.unsent, 16384)),
        )
        if o.len > 16384:
            return False
        gate_w_limit = self.suite != 4867
        if gate_w_limit and self.sent_records >= 23726566:  # [w.limit] rfc9846:5.5/new-1 MUST
            return False
        if gate_w_limit:
            self.sent_records += 1
        self.unsent -= o.len
        self.host.emit_app(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.half", "app", o))
        return True

    def _out_tx_app(self, now: int) -> bool:
        """[tx.app] rfc9846:5.1/7 MAY, rfc9846:4.5.3/3 MUST."""
        # [w.app] rfc9846:2/2 MUST_NOT, rfc9846:4.7.3/5 MUST, rfc9846:5.1/12 MUST_NOT
        if not ((self.own_fin or self.wr == 1) and not self.ku_due):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        o = App(
            epoch=self.wr,
            len=min(self.unsent, 16384),
            content=self.host.ask_piece(min(self.unsent, 16384)),
        )
        if o.len > 16384:
            return False
        gate_w_limit = self.suite != 4867
        if gate_w_limit and self.sent_records >= 23726566:  # [w.limit] rfc9846:5.5/new-1 MUST
            return False
        if gate_w_limit:
            self.sent_records += 1
        self.unsent -= o.len
        self.host.emit_app(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.app", "app", o))
        return True

    def _out_tx_leave(self, now: int) -> bool:
        """[tx.leave] rfc9846:6.1/4 MUST, rfc9846:6.1/new-1 MUST."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        o = Alert(epoch=self.wr, level="warning", desc="close_notify")
        self.wr_closed = True
        self.host.emit_alert(o)
        self.hs = CLOSED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.leave", "alert", o))
        return True

    def _out_tx_close(self, now: int) -> bool:
        """[tx.close] rfc9846:6.1/4 MUST, rfc9846:6.1/new-1 MUST, rfc9846:6.1/3 MAY."""
        if self.unsent != 0:
            return False
        o = Alert(epoch=self.wr, level="warning", desc="close_notify")
        self.wr_closed = True
        self.host.emit_alert(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.close", "alert", o))
        return True

    def _out_tx_closed(self, now: int) -> bool:
        """[tx.closed] rfc9846:6.1/4 MUST, rfc9846:6.1/new-1 MUST."""
        if self.unsent != 0:
            return False
        o = Alert(epoch=self.wr, level="warning", desc="close_notify")
        self.wr_closed = True
        self.host.emit_alert(o)
        self.hs = CLOSED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.closed", "alert", o))
        return True

    def _do_keyed_by(self, o: Any) -> None:
        """`keyed_by` of the law."""
        self.tr_hello = self.tr
        self.suite = o.suite
        self.rd = 2
        self.wr = 2

    def _do_own_done(self, o: Any) -> None:
        """`own_done` of the law."""
        self.tr = absorb(self.tr, o.raw)
        self.tr_server = self.tr
        self.wr = 3
        self.own_fin = True
