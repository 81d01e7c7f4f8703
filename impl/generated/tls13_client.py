# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/tls/client.law
#   spec/tls/record.law
#   spec/tls/messages.law
#   spec/profiles/tls.profile
"""The client of TLS 1.3 (RFC 9846; edition 8446 for RFC 8446)

Machine tls13.client under profile wirelaw, edition 9846.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, OUTPUTS_PER_PUMP, Step
from wirelaw.impl.externs.transcript import (
    absorb, distinct, in_order, keyed, last, restarted, same_hash, subset, without,
)

# States of region `hs`.
START: Final = "START"
WAIT_SH: Final = "WAIT_SH"
RETRY: Final = "RETRY"
WAIT_EE: Final = "WAIT_EE"
WAIT_CERT_CR: Final = "WAIT_CERT_CR"
WAIT_CERT: Final = "WAIT_CERT"
WAIT_CV: Final = "WAIT_CV"
WAIT_FINISHED: Final = "WAIT_FINISHED"
SEND_EOED: Final = "SEND_EOED"
SEND_CERT: Final = "SEND_CERT"
SEND_CV: Final = "SEND_CV"
SEND_FINISHED: Final = "SEND_FINISHED"
CONNECTED: Final = "CONNECTED"
CANCELED: Final = "CANCELED"
FAILED: Final = "FAILED"
CLOSED: Final = "CLOSED"
_HANDSHAKE: Final = frozenset(
    {
        START, WAIT_SH, RETRY, WAIT_EE, WAIT_CERT_CR, WAIT_CERT, WAIT_CV, WAIT_FINISHED, SEND_EOED, SEND_CERT,
        SEND_CV, SEND_FINISHED,
    }
)
_CANCELED_OR_FAILED_OR_CLOSED: Final = frozenset({CANCELED, FAILED, CLOSED})
_WAIT_SH_OR_WAIT_EE_OR_WAIT_FINISHED: Final = frozenset({WAIT_SH, WAIT_EE, WAIT_FINISHED})

# Parameters of profile `wirelaw`; durations in microseconds.
REKEY_AFTER: Final = 16777216


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


class Tls13ClientHost(Protocol):
    """What surrounds the machine."""

    def emit_ccs(self, o: Ccs) -> None:
        """Carry the message away."""

    def emit_alert(self, o: Alert) -> None:
        """Carry the message away."""

    def emit_app(self, o: App) -> None:
        """Carry the message away."""

    def emit_client_hello(self, o: ClientHello) -> None:
        """Carry the message away."""

    def emit_certificate(self, o: Certificate) -> None:
        """Carry the message away."""

    def emit_certificate_verify(self, o: CertificateVerify) -> None:
        """Carry the message away."""

    def emit_finished(self, o: Finished) -> None:
        """Carry the message away."""

    def emit_key_update(self, o: KeyUpdate) -> None:
        """Carry the message away."""

    def emit_end_of_early_data(self, o: EndOfEarlyData) -> None:
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

    def ask_first_hello(self, compatible: bool, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_second_hello(self, first: Any, request: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_has_certificate(self, request: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def ask_own_certificate(self, request: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_no_certificate(self, request: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_signature(self, request: Any, tr: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_finished(self, tr: Any, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_eoed(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_early_piece(self, count: int, /) -> Any:
        """Answer a question of the machine."""
        ...

    def tell_established(self, /) -> None:
        """Take news from the machine."""

    def tell_ticket(self, m: Any, /) -> None:
        """Take news from the machine."""


class Tls13Client:
    """One tls13.client: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: Tls13ClientHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: Tls13ClientHost = host
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
        self.psk: bool = False
        self.early: bool = False
        self.asked: bool = False
        self.peer: Any = None
        self.share: Any = None
        self.tr: Any = None
        self.tr_hello: Any = None
        self.tr_server: Any = None
        self.tr_client: Any = None
        self.early_unsent: int = 0

    def on_msg(self, m: Any, now: int) -> None:
        """Take `msg` through record, framing, order, form, boundary, version, hello, retry_request,
        server_hello, encrypted_extensions, certificate_request, certificate, certificate_verify, finished,
        ticket, update; then `pump`.
        """
        kind = m.kind
        if kind == "server_hello":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._boundary(m, now)
                and self._version(m, now)
                and self._hello(m, now)
                and self._retry_request(m, now)
                and self._server_hello(m, now)
            )
            return
        if kind == "encrypted_extensions":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._encrypted_extensions(m, now)
            )
            return
        if kind == "certificate_request":
            (
                self._record(m, now)
                and self._order(m, now)
                and self._form(m, now)
                and self._certificate_request(m, now)
            )
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
        if kind == "new_session_ticket":
            self._record(m, now) and self._order(m, now) and self._form(m, now) and self._ticket(m, now)
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
        if kind in ("handshake", "client_hello", "end_of_early_data", "unknown_handshake"):
            self._record(m, now) and self._order(m, now) and self._form(m, now)
            return
        self._record(m, now) and self._framing(m, now)

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
        if kind == "server_hello":
            st = self.hs
            if st == WAIT_SH:
                # [due.sh] rfc9846:4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.sh", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "encrypted_extensions":
            st = self.hs
            if st == WAIT_EE:
                # [due.ee] rfc9846:4.4.1/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.ee", m.kind, m))
                return True
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "certificate_request":
            st = self.hs
            if st == WAIT_CERT_CR:
                # [due.cr] rfc9846:4.4.2/2 MUST, rfc9846:4.4.2/1 MAY
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.cr", m.kind, m))
                return True
            if st == CONNECTED:
                # [late.cr] rfc9846:4.7.2/4 MUST, rfc9846:4.3.6/1 MUST_NOT
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "late.cr", m.kind, m))
                return False
            # [stray] rfc9846:4/2 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "stray", m.kind, m))
            return False
        if kind == "certificate":
            st = self.hs
            if st == WAIT_CERT_CR or st == WAIT_CERT:
                # [due.cert] rfc9846:4.5.1/1 MUST
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
                # [due.cv] rfc9846:4.5.2/1 MUST, rfc9846:4.5.2/3 MUST
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
        if kind == "new_session_ticket":
            st = self.hs
            if st == CONNECTED:
                # [due.ticket] rfc9846:4.7.1/1 MAY
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "due.ticket", m.kind, m))
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
            if st in _CANCELED_OR_FAILED_OR_CLOSED:
                # [stray] rfc9846:4/2 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "order", "stray", m.kind, m))
                return False
            # [early.update] rfc9846:4.7.3/1 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "early.update", m.kind, m))
            return False
        if kind == "end_of_early_data":
            # [no.eoed] rfc9846:4.6/3 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "no.eoed", m.kind, m))
            return False
        if kind == "unknown_handshake":
            # [no.unknown] rfc9846:B/1 MUST_NOT
            self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "order", "no.unknown", m.kind, m))
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

    def _version(self, m: Any, now: int) -> bool:
        """Table `version` (rfc9846:4.2.4/6)."""
        st = self.hs
        if st == WAIT_SH:
            if m.random == "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c":
                if self.retried:  # [hrr.second] rfc9846:4.2.4/6 MUST
                    self.host.emit_alert(Alert(epoch=self.wr, desc="unexpected_message"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "version", "hrr.second", m.kind, m))
                    return False
                if 43 not in (m.extensions or ()):  # [hrr.unversioned] rfc9846:4.2.4/1 MUST
                    self.host.emit_alert(Alert(epoch=self.wr, desc="missing_extension"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "version", "hrr.unversioned", m.kind, m))
                    return False
                # [hrr.versioned] rfc9846:4.2.3/8 MUST, rfc9846:4.3.1/new-1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "version", "hrr.versioned", m.kind, m))
                return True
            if 43 in (m.extensions or ()):  # [sh.versioned] rfc9846:4.3.1/new-1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "version", "sh.versioned", m.kind, m))
                return True
            # [sh.marked] rfc9846:4.2.3/12 MUST
            if (m.downgrade == "444f574e47524401" or m.downgrade == "444f574e47524400"):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "version", "sh.marked", m.kind, m))
                return False
            # [sh.old] rfc9846:E.1/1 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="protocol_version"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "version", "sh.old", m.kind, m))
            return False
        return True

    def _hello(self, m: Any, now: int) -> bool:
        """Table `hello` (rfc9846:4.2.3/new-1)."""
        st = self.hs
        if st == WAIT_SH:
            if m.legacy_version != 771:  # [sh.legacy] rfc9846:4.2.3/new-1 MUST, rfc9846:E.5/new-2 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="protocol_version"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "hello", "sh.legacy", m.kind, m))
                return False
            # [sh.unoffered] rfc9846:4.3.1/12 MUST, rfc9846:6/7 MUST, rfc9846:6.2/3 MUST
            if (m.version not in (self.ch.versions or ()) or m.version < 772):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "hello", "sh.unoffered", m.kind, m))
                return False
            if m.session_id != self.ch.session_id:  # [sh.session] rfc9846:4.2.3/3 MUST, rfc9846:4.2.4/4 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "hello", "sh.session", m.kind, m))
                return False
            if m.suite not in (self.ch.suites or ()):  # [sh.suite] rfc9846:4.2.3/4 MUST, rfc9846:4.2.4/8 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "hello", "sh.suite", m.kind, m))
                return False
            if m.compression != 0:  # [sh.compressed] rfc9846:4.2.3/new-2 MUST, rfc9846:4.2.3/5 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "hello", "sh.compressed", m.kind, m))
                return False
            # [sh.fields] rfc9846:4.3.1/10 MUST, rfc8446:4.2.1/11 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "hello", "sh.fields", m.kind, m))
            return True
        return True

    def _retry_request(self, m: Any, now: int) -> bool:
        """Table `retry_request` (rfc9846:4.2.4/3)."""
        st = self.hs
        if st == WAIT_SH:
            if m.random == "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c":
                # [hrr.unasked] rfc9846:4.2.4/3 MUST_NOT, rfc9846:4.3/3 MUST
                if not subset(without(m.extensions, 44), self.ch.extensions):
                    self.host.emit_alert(Alert(epoch=self.wr, desc="unsupported_extension"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "retry_request", "hrr.unasked", m.kind, m))
                    return False
                # [hrr.misplaced] rfc9846:4.3/4 MUST, rfc9846:4.2.4/2 SHOULD
                if not subset(without(without(without(m.extensions, 43), 51), 44), None):
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "retry_request", "hrr.misplaced", m.kind, m))
                    return False
                # [hrr.idle] rfc9846:4.2.4/5 MUST
                if 51 not in (m.extensions or ()) and 44 not in (m.extensions or ()):
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "retry_request", "hrr.idle", m.kind, m))
                    return False
                # [hrr.group] rfc9846:4.3.8/7 MUST
                if 51 in (m.extensions or ()) and m.group not in (self.ch.groups or ()):
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "retry_request", "hrr.group", m.kind, m))
                    return False
                # [hrr.shared] rfc9846:4.3.8/8 MUST
                if 51 in (m.extensions or ()) and m.group in (self.ch.shares or ()):
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "retry_request", "hrr.shared", m.kind, m))
                    return False
                # [hrr] rfc9846:4.2.4/7 MUST, rfc9846:4.1/1 MUST, rfc8446:4.2.2/1 MAY
                self.hrr = m
                self.retried = True
                self.early = False
                self.wr = 0
                self.suite = m.suite
                self.tr = absorb(restarted(self.tr, m.suite), m.raw)
                self.hs = RETRY
                if self.on_step is not None:
                    self.on_step(Step(now, "retry_request", "hrr", m.kind, m))
                return False
            # [hrr.none] rfc9846:4.2.3/8 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "retry_request", "hrr.none", m.kind, m))
            return True
        return True

    def _server_hello(self, m: Any, now: int) -> bool:
        """Table `server_hello` (rfc9846:4.3/3)."""
        st = self.hs
        if st == WAIT_SH:
            # [sh.unasked] rfc9846:4.3/3 MUST, rfc9846:4.3/2 MUST_NOT
            if not subset(m.extensions, self.ch.extensions):
                self.host.emit_alert(Alert(epoch=self.wr, desc="unsupported_extension"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.unasked", m.kind, m))
                return False
            # [sh.misplaced] rfc9846:4.3/4 MUST, rfc9846:4.2.3/6 MUST
            if not subset(without(without(without(m.extensions, 43), 51), 41), None):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.misplaced", m.kind, m))
                return False
            if 51 not in (m.extensions or ()):  # [sh.unshared] rfc9846:4.3.8/10 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="missing_extension"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.unshared", m.kind, m))
                return False
            if self.retried:
                if m.suite != self.hrr.suite:  # [sh.other.suite] rfc9846:4.2.4/10 MUST, rfc9846:4.2.4/9 MUST
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "server_hello", "sh.other.suite", m.kind, m))
                    return False
                if m.version != self.hrr.version:  # [sh.other.version] rfc9846:4.2.4/12 MUST
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "server_hello", "sh.other.version", m.kind, m))
                    return False
                # [sh.other.group] rfc9846:4.3.8/13 MUST
                if 51 in (self.hrr.extensions or ()) and m.group != self.hrr.group:
                    self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                    self.hs = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "server_hello", "sh.other.group", m.kind, m))
                    return False
            # [sh.group] rfc9846:2/1 MUST, rfc9846:4.3.8/10 MUST, rfc9846:4.3.8/11 MUST_NOT
            if m.group not in (self.ch.shares or ()):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.group", m.kind, m))
                return False
            # [sh.identity] rfc9846:4.3.11/10 MUST
            if 41 in (m.extensions or ()) and m.selected >= self.ch.identities:
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.identity", m.kind, m))
                return False
            # [sh.hash] rfc9846:4.3.11/11 MUST
            if 41 in (m.extensions or ()) and m.selected == 0 and not same_hash(m.suite, self.ch.psk_suite):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.hash", m.kind, m))
                return False
            if not m.share_ok:  # [sh.share] rfc9846:7.4.2/2 MUST, rfc9846:4.3.8.2/1 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "server_hello", "sh.share", m.kind, m))
                return False
            # [sh] rfc9846:4.2.3/7 MUST, rfc9846:4.2.3/1 MUST, rfc9846:A.1/1 SHOULD
            self.share = m
            self.suite = m.suite
            self.tr = absorb(keyed(self.tr, m.suite), m.raw)
            self.tr_hello = self.tr
            self.psk = 41 in (m.extensions or ())
            self.early = self.early and 41 in (m.extensions or ())
            self.rd = 2
            self.wr = 1 if self.early else 2
            self.hs = WAIT_EE
            if self.on_step is not None:
                self.on_step(Step(now, "server_hello", "sh", m.kind, m))
            return False
        return True

    def _encrypted_extensions(self, m: Any, now: int) -> bool:
        """Table `encrypted_extensions` (rfc9846:4.3/3)."""
        st = self.hs
        if st == WAIT_EE:
            # [ee.unasked] rfc9846:4.3/3 MUST, rfc9846:4.3.6/2 MUST_NOT
            if not subset(m.extensions, self.ch.extensions):
                self.host.emit_alert(Alert(epoch=self.wr, desc="unsupported_extension"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "encrypted_extensions", "ee.unasked", m.kind, m))
                return False
            # [ee.misplaced] rfc9846:4.4.1/2 MUST, rfc9846:4.3/4 MUST, rfc8446:4.2.9/5 MUST_NOT
            if (
                5 in (m.extensions or ())
                or 13 in (m.extensions or ())
                or 18 in (m.extensions or ())
                or 21 in (m.extensions or ())
                or 41 in (m.extensions or ())
                or 43 in (m.extensions or ())
                or 44 in (m.extensions or ())
                or 45 in (m.extensions or ())
                or 47 in (m.extensions or ())
                or 48 in (m.extensions or ())
                or 49 in (m.extensions or ())
                or 50 in (m.extensions or ())
                or 51 in (m.extensions or ())
            ):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "encrypted_extensions", "ee.misplaced", m.kind, m))
                return False
            # [ee.early] rfc9846:4.3.11/13 MUST
            if 42 in (m.extensions or ()) and not (self.early and self.share.selected == 0):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "encrypted_extensions", "ee.early", m.kind, m))
                return False
            if self.psk:  # [ee.psk] rfc9846:4.4.1/1 MUST, rfc9846:4.3.7/1 MUST_NOT
                self.tr = absorb(self.tr, m.raw)
                self.early = self.early and 42 in (m.extensions or ())
                self.wr = 1 if self.early else 2
                self.hs = WAIT_FINISHED
                if self.on_step is not None:
                    self.on_step(Step(now, "encrypted_extensions", "ee.psk", m.kind, m))
                return False
            # [ee] rfc9846:4.4.1/1 MUST, rfc9846:4.3.7/1 MUST_NOT
            self.tr = absorb(self.tr, m.raw)
            self.hs = WAIT_CERT_CR
            if self.on_step is not None:
                self.on_step(Step(now, "encrypted_extensions", "ee", m.kind, m))
            return False
        return True

    def _certificate_request(self, m: Any, now: int) -> bool:
        """Table `certificate_request` (rfc9846:4.4.2/3)."""
        st = self.hs
        if st == WAIT_CERT_CR:
            if m.context != "":  # [cr.context] rfc9846:4.4.2/3 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_request", "cr.context", m.kind, m))
                return False
            if 13 not in (m.extensions or ()):  # [cr.bare] rfc9846:4.4.2/5 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="missing_extension"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_request", "cr.bare", m.kind, m))
                return False
            # [cr] rfc9846:4.4.2/6 MUST, rfc9846:9.3/3 MUST
            self.cr = m
            self.asked = True
            self.tr = absorb(self.tr, m.raw)
            self.hs = WAIT_CERT
            if self.on_step is not None:
                self.on_step(Step(now, "certificate_request", "cr", m.kind, m))
            return False
        return True

    def _certificate(self, m: Any, now: int) -> bool:
        """Table `certificate` (rfc9846:4.5.1/5)."""
        st = self.hs
        if st == WAIT_CERT_CR or st == WAIT_CERT:
            if m.context != "":  # [cert.context] rfc9846:4.5.1/5 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.context", m.kind, m))
                return False
            if m.count == 0:  # [cert.empty] rfc9846:4.5.1.3/1 MUST, rfc9846:4.5.1/14 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="decode_error"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.empty", m.kind, m))
                return False
            if not subset(m.entry_extensions, self.ch.extensions):  # [cert.unasked] rfc9846:4.5.1/7 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unsupported_extension"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.unasked", m.kind, m))
                return False
            if m.path == "trusted":  # [cert] rfc9846:4.5.1/1 MUST
                self.peer = m
                self.tr = absorb(self.tr, m.raw)
                self.hs = WAIT_CV
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert", m.kind, m))
                return False
            if m.path == "corrupt":  # [cert.corrupt] rfc9846:4.5.1.2/8 MUST, rfc9846:4.5.1.3/4 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="bad_certificate"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.corrupt", m.kind, m))
                return False
            if m.path == "unfit":  # [cert.unfit] rfc9846:4.5.1.2/8 MUST, rfc9846:4.5.1.2/1 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unsupported_certificate"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.unfit", m.kind, m))
                return False
            if m.path == "revoked":  # [cert.revoked] rfc9846:4.5.1.2/8 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="certificate_revoked"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.revoked", m.kind, m))
                return False
            if m.path == "expired":  # [cert.expired] rfc9846:4.5.1.2/8 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="certificate_expired"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.expired", m.kind, m))
                return False
            if m.path == "unanchored":  # [cert.unanchored] rfc9846:4.5.1.2/8 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="unknown_ca"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate", "cert.unanchored", m.kind, m))
                return False
            # [cert.other] rfc9846:4.5.1.2/8 MUST
            self.host.emit_alert(Alert(epoch=self.wr, desc="certificate_unknown"))
            self.hs = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "certificate", "cert.other", m.kind, m))
            return False
        return True

    def _certificate_verify(self, m: Any, now: int) -> bool:
        """Table `certificate_verify` (rfc9846:4.5.2/4)."""
        st = self.hs
        if st == WAIT_CV:
            # [cv.unoffered] rfc9846:4.5.2/4 MUST, rfc9846:4.5.2/7 MUST, rfc9846:4.5.2/8 MUST_NOT,
            #     rfc9846:4.3.3/5 MUST_NOT
            if (m.algorithm not in (self.ch.signatures or ()) or m.algorithm in (513, 515, 1025, 1281, 1537)):
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_verify", "cv.unoffered", m.kind, m))
                return False
            if not m.fits_key:  # [cv.key] rfc9846:4.5.2/6 MUST, rfc9846:4.3.3/7 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="illegal_parameter"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_verify", "cv.key", m.kind, m))
                return False
            if not m.signed:  # [cv.forged] rfc9846:4.5.2/9 MUST, rfc9846:4.3.3/6 MUST
                self.host.emit_alert(Alert(epoch=self.wr, desc="decrypt_error"))
                self.hs = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "certificate_verify", "cv.forged", m.kind, m))
                return False
            # [cv] rfc9846:4.5.2/1 MUST
            self.tr = absorb(self.tr, m.raw)
            self.hs = WAIT_FINISHED
            if self.on_step is not None:
                self.on_step(Step(now, "certificate_verify", "cv", m.kind, m))
            return False
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
            if self.early:  # [fin.early] rfc9846:4.6/1 MUST
                self._do_server_done(m)
                self.hs = SEND_EOED
                if self.on_step is not None:
                    self.on_step(Step(now, "finished", "fin.early", m.kind, m))
                return False
            if self.asked:  # [fin.asked] rfc9846:4.5.1/2 MUST, rfc9846:4.5.3/3 MUST
                self._do_server_done(m)
                self.hs = SEND_CERT
                if self.on_step is not None:
                    self.on_step(Step(now, "finished", "fin.asked", m.kind, m))
                return False
            # [fin] rfc9846:4.5.3/1 MUST, rfc9846:4.5.3/3 MUST
            self._do_server_done(m)
            self.hs = SEND_FINISHED
            if self.on_step is not None:
                self.on_step(Step(now, "finished", "fin", m.kind, m))
            return False
        return True

    def _ticket(self, m: Any, now: int) -> bool:
        """Table `ticket` (rfc9846:4.7.1/6)."""
        st = self.hs
        if st == CONNECTED:
            if m.lifetime > 604800:  # [ticket.long] rfc9846:4.7.1/6 MUST_NOT, rfc9846:4.7.1/7 MUST_NOT
                if self.on_step is not None:
                    self.on_step(Step(now, "ticket", "ticket.long", m.kind, m))
                return False
            # [ticket] rfc9846:4.7.1/9 MUST, rfc9846:4.7.1/new-2 MUST, rfc9846:9.3/3 MUST
            self.host.tell_ticket(m)
            if self.on_step is not None:
                self.on_step(Step(now, "ticket", "ticket", m.kind, m))
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

    def call_write_early(self, count: int, now: int) -> str | None:
        """The user's call `write_early`; the code of a refusal, or None."""
        # [call.early] rfc9846:4.3.10/1 MUST
        self.early_unsent += count
        if self.on_step is not None:
            self.on_step(Step(now, "early", "call.early", "write_early", None))
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
            if st == START:
                if self._out_ch_first(now):  # [ch.first]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == RETRY:
                # [tx.ccs]
                if self.started and not self.own_fin and not self.wr_closed and self._out_tx_ccs(now):
                    continue
                if self._out_ch_again(now):  # [ch.again]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == SEND_EOED:
                if self._out_eoed(now):  # [eoed]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if st == SEND_CERT:
                # [tx.ccs]
                if self.started and not self.own_fin and not self.wr_closed and self._out_tx_ccs(now):
                    continue
                if self.host.ask_has_certificate(self.cr) and self._out_cert_own(now):  # [cert.own]
                    continue
                if not self.host.ask_has_certificate(self.cr) and self._out_cert_none(now):  # [cert.none]
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
                # [tx.ccs]
                if self.started and not self.own_fin and not self.wr_closed and self._out_tx_ccs(now):
                    continue
                if self._out_fin_own(now):  # [fin.own]
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
            if st == FAILED or st == CLOSED:
                return
            if st in _WAIT_SH_OR_WAIT_EE_OR_WAIT_FINISHED:
                # [tx.ccs]
                if self.started and not self.own_fin and not self.wr_closed and self._out_tx_ccs(now):
                    continue
                if self.early and self.early_unsent > 0 and self._out_tx_early(now):  # [tx.early]
                    continue
                if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                    continue
                return
            if self.started and self.closing and self._out_tx_leave(now):  # [tx.leave]
                continue
            return
        raise EndlessOutputError("tls13.client", self.hs)

    def _out_ch_first(self, now: int) -> bool:
        """[ch.first] rfc9846:4.2.2/1 MUST, rfc9846:4.2.2/6 MUST, rfc9846:4.2.2/8 MUST, rfc9846:4.2.2/10 MUST,
        rfc9846:4.2.2/13 MUST, rfc9846:4.3.1/1 MUST, rfc9846:4.3.2/3 MUST_NOT, rfc9846:4.3.3/2 MUST,
        rfc9846:4.3.7/new-1 MUST_NOT, rfc9846:4.3.9/1 MUST, rfc9846:4.3.11/14 MUST, rfc9846:4.3.8/2 MUST,
        rfc9846:4.3.8/4 MUST_NOT, rfc9846:4.3.8/5 MUST_NOT, rfc9846:9.2/2 MUST, rfc9846:9.2/3 MUST,
        rfc9846:4.3/6 MUST_NOT, rfc9846:4.3.5/1 MUST, rfc9846:E.5/new-2 MUST, rfc9846:E.5/2 MUST_NOT,
        rfc8446:D.5/3 MUST_NOT, rfc8446:4.2.8/1 MAY.
        """
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_first_hello(True)
        o = ClientHello(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            legacy_version=made.legacy_version,
            random=made.random,
            session_id=made.session_id,
            compression=made.compression,
            suites=made.suites,
            versions=made.versions,
            groups=made.groups,
            shares=made.shares,
            signatures=made.signatures,
            share_count=made.share_count,
            cookie=made.cookie,
            identities=made.identities,
            psk_suite=made.psk_suite,
            binders_ok=made.binders_ok,
        )
        if not (
            o.ok
            and o.legacy_version == 771
            and o.compression == "00"
            and 772 in (o.versions or ())
            and 43 in (o.extensions or ())
            and 10 in (o.extensions or ())
            and 13 in (o.extensions or ())
            and 51 in (o.extensions or ())
            and (
                41 not in (o.extensions or ())
                or (
                    45 in (o.extensions or ())
                    and last(o.extensions) == 41
                    and o.identities > 0
                    and o.binders_ok
                )
            )
            and (42 not in (o.extensions or ()) or 41 in (o.extensions or ()))
            and 48 not in (o.extensions or ())
            and distinct(o.extensions)
            and distinct(o.groups)
            and distinct(o.shares)
            and in_order(o.shares, o.groups)
            and 44 not in (o.extensions or ())
            and o.session_id != ""
        ):
            return False
        self.ch = o
        self.tr = absorb(self.tr, o.raw)
        self.started = True
        self.early = 42 in (o.extensions or ())
        self.wr = 1 if 42 in (o.extensions or ()) else 0
        self.host.emit_client_hello(o)
        self.hs = WAIT_SH
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ch.first", "client_hello", o))
        return True

    def _out_tx_ccs(self, now: int) -> bool:
        """[tx.ccs] rfc9846:5/1 MUST."""
        if not (
            not self.ccs_gone
            and (self.hs in (RETRY, SEND_CERT, SEND_FINISHED) or (self.early and self.hs == WAIT_SH))
        ):
            return False
        o = Ccs()
        self.ccs_gone = True
        self.host.emit_ccs(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.ccs", "ccs", o))
        return True

    def _out_ch_again(self, now: int) -> bool:
        """[ch.again] rfc9846:4.2.2/2 MUST, rfc9846:4.2.4/7 MUST, rfc9846:4.3.2/2 MUST, rfc9846:4.3.8/9 MUST,
        rfc8446:4.2.10/6 MUST_NOT.
        """
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_second_hello(self.ch, self.hrr)
        o = ClientHello(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
            legacy_version=made.legacy_version,
            random=made.random,
            session_id=made.session_id,
            compression=made.compression,
            suites=made.suites,
            versions=made.versions,
            groups=made.groups,
            shares=made.shares,
            signatures=made.signatures,
            share_count=made.share_count,
            cookie=made.cookie,
            identities=made.identities,
            psk_suite=made.psk_suite,
            binders_ok=made.binders_ok,
        )
        if not (
            o.ok
            and o.legacy_version == 771
            and o.compression == "00"
            and 772 in (o.versions or ())
            and 43 in (o.extensions or ())
            and 10 in (o.extensions or ())
            and 13 in (o.extensions or ())
            and 51 in (o.extensions or ())
            and (
                41 not in (o.extensions or ())
                or (
                    45 in (o.extensions or ())
                    and last(o.extensions) == 41
                    and o.identities > 0
                    and o.binders_ok
                )
            )
            and (42 not in (o.extensions or ()) or 41 in (o.extensions or ()))
            and 48 not in (o.extensions or ())
            and distinct(o.extensions)
            and distinct(o.groups)
            and distinct(o.shares)
            and in_order(o.shares, o.groups)
            and 42 not in (o.extensions or ())
            and o.random == self.ch.random
            and o.session_id == self.ch.session_id
            and o.suites == self.ch.suites
            and o.versions == self.ch.versions
            and o.groups == self.ch.groups
            and o.signatures == self.ch.signatures
            and subset(without(without(o.extensions, 44), 21), self.ch.extensions)
            and subset(without(without(without(self.ch.extensions, 42), 41), 21), o.extensions)
            and (51 in (self.hrr.extensions or ()) or o.shares == self.ch.shares)
            and (
                51 not in (self.hrr.extensions or ())
                or (self.hrr.group in (o.shares or ()) and o.share_count == 1)
            )
            and (44 in (self.hrr.extensions or ()) or 44 not in (o.extensions or ()))
            and (
                44 not in (self.hrr.extensions or ())
                or (44 in (o.extensions or ()) and o.cookie == self.hrr.cookie)
            )
        ):
            return False
        self.ch = o
        self.tr = absorb(self.tr, o.raw)
        self.host.emit_client_hello(o)
        self.hs = WAIT_SH
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ch.again", "client_hello", o))
        return True

    def _out_tx_early(self, now: int) -> bool:
        """[tx.early] rfc9846:4.3.10/1 MUST, rfc9846:4.3.10/2 MUST, rfc9846:4.3.10/11 SHOULD_NOT."""
        # [w.app] rfc9846:2/2 MUST_NOT, rfc9846:4.7.3/5 MUST, rfc9846:5.1/12 MUST_NOT
        if not ((self.own_fin or self.wr == 1) and not self.ku_due):
            return False
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        o = App(
            epoch=self.wr,
            len=min(self.early_unsent, 16384),
            content=self.host.ask_early_piece(min(self.early_unsent, 16384)),
        )
        if o.len > 16384:
            return False
        gate_w_limit = self.suite != 4867
        if gate_w_limit and self.sent_records >= 23726566:  # [w.limit] rfc9846:5.5/new-1 MUST
            return False
        if gate_w_limit:
            self.sent_records += 1
        self.early_unsent -= o.len
        self.host.emit_app(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.early", "app", o))
        return True

    def _out_eoed(self, now: int) -> bool:
        """[eoed] rfc9846:4.6/1 MUST, rfc9846:4.6/2 MUST_NOT."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_eoed()
        o = EndOfEarlyData(
            epoch=self.wr,
            ok=made.ok,
            aligned=made.aligned,
            raw=made.raw,
            extensions=made.extensions,
        )
        if not (o.ok and o.aligned):
            return False
        self.tr = absorb(self.tr, o.raw)
        self.early = False
        self.wr = 2
        self.host.emit_end_of_early_data(o)
        self.hs = SEND_FINISHED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "eoed", "end_of_early_data", o))
        return True

    def _out_cert_own(self, now: int) -> bool:
        """[cert.own] rfc9846:4.5.1/2 MUST, rfc9846:4.5.1/6 MUST."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_certificate(self.cr)
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
        if not (o.ok and o.context == self.cr.context and o.count > 0):
            return False
        self.tr = absorb(self.tr, o.raw)
        self.host.emit_certificate(o)
        self.hs = SEND_CV
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cert.own", "certificate", o))
        return True

    def _out_cert_none(self, now: int) -> bool:
        """[cert.none] rfc9846:4.5.1/3 MUST, rfc9846:4.5.1/2 MUST, rfc9846:4.5.1/6 MUST."""
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_no_certificate(self.cr)
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
        if not (o.ok and o.context == self.cr.context and o.count == 0):
            return False
        self.tr = absorb(self.tr, o.raw)
        self.host.emit_certificate(o)
        self.hs = SEND_FINISHED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cert.none", "certificate", o))
        return True

    def _out_cv_own(self, now: int) -> bool:
        """[cv.own] rfc9846:4.5.2/2 MUST, rfc9846:4.5.2/3 MUST, rfc9846:4.5.2/5 MUST, rfc9846:4.5.2/6 MUST,
        rfc9846:4.5.2/7 MUST, rfc9846:4.5.2/8 MUST_NOT, rfc9846:4.5.2/9 MUST.
        """
        if self.wr_closed:  # [w.closed] rfc9846:6.1/4 MUST
            return False
        made = self.host.ask_own_signature(self.cr, self.tr)
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
            and o.algorithm in (self.cr.signatures or ())
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

    def _out_fin_own(self, now: int) -> bool:
        """[fin.own] rfc9846:4.5.1/4 MUST, rfc9846:4.5.3/3 MUST, rfc9846:4/1 MUST."""
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
        self.tr = absorb(self.tr, o.raw)
        self.tr_client = self.tr
        self.wr = 3
        self.own_fin = True
        self.host.tell_established()
        self.host.emit_finished(o)
        self.hs = CONNECTED
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

    def _do_server_done(self, m: Any) -> None:
        """`server_done` of the law."""
        self.tr = absorb(self.tr, m.raw)
        self.tr_server = self.tr
        self.rd = 3
        self.peer_fin = True
