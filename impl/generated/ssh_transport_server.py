# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/ssh/server.law
#   spec/ssh/transport.law
#   spec/ssh/messages.law
#   spec/ssh/channels.law
#   spec/profiles/ssh.profile
"""The server of the SSH transport (RFC 4253), with curve25519, strict key exchange and EXT_INFO

Machine ssh.transport.server under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.instances import Instances
from wirelaw.impl.runtime.machine import (
    EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step, UnmetEventError,
)
from wirelaw.impl.externs.negotiation import agreed, head

# States of region `kx`.
GREET: Final = "GREET"
QUIET: Final = "QUIET"
MINE: Final = "MINE"
ASKED: Final = "ASKED"
AGREE: Final = "AGREE"
SPEAK: Final = "SPEAK"
AWAIT: Final = "AWAIT"
KEYS: Final = "KEYS"
ENDED: Final = "ENDED"
# States of region `ch`.
FREE: Final = "FREE"
OPENING: Final = "OPENING"
LIVE: Final = "LIVE"
# States of region `sv`.
NO_SERVICE: Final = "NO_SERVICE"
REQUESTED: Final = "REQUESTED"
SERVED: Final = "SERVED"
_ALIVE: Final = frozenset({GREET, QUIET, MINE, ASKED, AGREE, SPEAK, AWAIT, KEYS})

# Parameters of profile `wirelaw`; durations in microseconds.
REKEY_PACKETS: Final = 268435456
REKEY_INTERVAL: Final = 3600000000


@dataclass(slots=True)
class Line:
    """Message `line`."""

    kind: ClassVar[str] = "line"
    length: int = 0
    raw: Any = None


@dataclass(slots=True)
class Identification(Line):
    """Message `identification`."""

    kind: ClassVar[str] = "identification"
    version: Any = None


@dataclass(slots=True)
class TextLine(Line):
    """Message `text_line`."""

    kind: ClassVar[str] = "text_line"


@dataclass(slots=True)
class Msg:
    """Message `msg`."""

    kind: ClassVar[str] = "msg"
    number: int = 0
    mac_ok: bool = True
    length: int = 0
    padding: int = 0
    framed: int = 0
    block: int = 0


@dataclass(slots=True)
class Generic(Msg):
    """Message `generic`."""

    kind: ClassVar[str] = "generic"
    ok: bool = True


@dataclass(slots=True)
class Ignore(Generic):
    """Message `ignore`."""

    kind: ClassVar[str] = "ignore"


@dataclass(slots=True)
class Debug(Generic):
    """Message `debug`."""

    kind: ClassVar[str] = "debug"


@dataclass(slots=True)
class Unimplemented(Generic):
    """Message `unimplemented`."""

    kind: ClassVar[str] = "unimplemented"
    what: int = 0


@dataclass(slots=True)
class ExtInfo(Generic):
    """Message `ext_info`."""

    kind: ClassVar[str] = "ext_info"


@dataclass(slots=True)
class Disconnect(Msg):
    """Message `disconnect`."""

    kind: ClassVar[str] = "disconnect"
    reason: int = 0


@dataclass(slots=True)
class Unknown(Msg):
    """Message `unknown`."""

    kind: ClassVar[str] = "unknown"


@dataclass(slots=True)
class Service(Msg):
    """Message `service`."""

    kind: ClassVar[str] = "service"
    name: Any = None


@dataclass(slots=True)
class ServiceRequest(Service):
    """Message `service_request`."""

    kind: ClassVar[str] = "service_request"


@dataclass(slots=True)
class ServiceAccept(Service):
    """Message `service_accept`."""

    kind: ClassVar[str] = "service_accept"


@dataclass(slots=True)
class Exchange(Msg):
    """Message `exchange`."""

    kind: ClassVar[str] = "exchange"
    ok: bool = True
    raw: Any = None


@dataclass(slots=True)
class Kexinit(Exchange):
    """Message `kexinit`."""

    kind: ClassVar[str] = "kexinit"
    kex: Any = None
    host_keys: Any = None
    enc_cs: Any = None
    enc_sc: Any = None
    mac_cs: Any = None
    mac_sc: Any = None
    comp_cs: Any = None
    comp_sc: Any = None
    lang_cs: Any = None
    lang_sc: Any = None
    follows: bool = False
    reserved: int = 0


@dataclass(slots=True)
class Newkeys(Exchange):
    """Message `newkeys`."""

    kind: ClassVar[str] = "newkeys"


@dataclass(slots=True)
class EcdhInit(Exchange):
    """Message `ecdh_init`."""

    kind: ClassVar[str] = "ecdh_init"


@dataclass(slots=True)
class EcdhReply(Exchange):
    """Message `ecdh_reply`."""

    kind: ClassVar[str] = "ecdh_reply"
    algorithm: Any = None
    secret_ok: bool = False
    trusted: bool = False
    signed: bool = False
    hash: Any = None


@dataclass(slots=True)
class KexOther(Exchange):
    """Message `kex_other`."""

    kind: ClassVar[str] = "kex_other"


@dataclass(slots=True)
class Upper(Msg):
    """Message `upper`."""

    kind: ClassVar[str] = "upper"


@dataclass(slots=True)
class Userauth(Upper):
    """Message `userauth`."""

    kind: ClassVar[str] = "userauth"
    content: Any = None


@dataclass(slots=True)
class GlobalRequest(Upper):
    """Message `global_request`."""

    kind: ClassVar[str] = "global_request"
    want_reply: bool = False


@dataclass(slots=True)
class RequestSuccess(Upper):
    """Message `request_success`."""

    kind: ClassVar[str] = "request_success"


@dataclass(slots=True)
class RequestFailure(Upper):
    """Message `request_failure`."""

    kind: ClassVar[str] = "request_failure"


@dataclass(slots=True)
class Chan(Msg):
    """Message `chan`."""

    kind: ClassVar[str] = "chan"
    key: int = 0


@dataclass(slots=True)
class ChannelOpen(Chan):
    """Message `channel_open`."""

    kind: ClassVar[str] = "channel_open"
    sender: int = 0
    window: int = 0
    packet: int = 0
    channel_type: Any = None


@dataclass(slots=True)
class OpenConfirmation(Chan):
    """Message `open_confirmation`."""

    kind: ClassVar[str] = "open_confirmation"
    sender: int = 0
    window: int = 0
    packet: int = 0


@dataclass(slots=True)
class OpenFailure(Chan):
    """Message `open_failure`."""

    kind: ClassVar[str] = "open_failure"
    reason: int = 0


@dataclass(slots=True)
class WindowAdjust(Chan):
    """Message `window_adjust`."""

    kind: ClassVar[str] = "window_adjust"
    add: int = 0


@dataclass(slots=True)
class ChannelData(Chan):
    """Message `channel_data`."""

    kind: ClassVar[str] = "channel_data"
    len: int = 0
    content: Any = None


@dataclass(slots=True)
class ChannelEof(Chan):
    """Message `channel_eof`."""

    kind: ClassVar[str] = "channel_eof"


@dataclass(slots=True)
class ChannelClose(Chan):
    """Message `channel_close`."""

    kind: ClassVar[str] = "channel_close"


@dataclass(slots=True)
class ChannelRequest(Chan):
    """Message `channel_request`."""

    kind: ClassVar[str] = "channel_request"
    want_reply: bool = False


@dataclass(slots=True)
class ChannelFailure(Chan):
    """Message `channel_failure`."""

    kind: ClassVar[str] = "channel_failure"


class SshTransportServerHost(Protocol):
    """What surrounds the machine."""

    def emit_identification(self, o: Identification) -> None:
        """Carry the message away."""

    def emit_ignore(self, o: Ignore) -> None:
        """Carry the message away."""

    def emit_debug(self, o: Debug) -> None:
        """Carry the message away."""

    def emit_unimplemented(self, o: Unimplemented) -> None:
        """Carry the message away."""

    def emit_ext_info(self, o: ExtInfo) -> None:
        """Carry the message away."""

    def emit_disconnect(self, o: Disconnect) -> None:
        """Carry the message away."""

    def emit_service_accept(self, o: ServiceAccept) -> None:
        """Carry the message away."""

    def emit_kexinit(self, o: Kexinit) -> None:
        """Carry the message away."""

    def emit_newkeys(self, o: Newkeys) -> None:
        """Carry the message away."""

    def emit_ecdh_reply(self, o: EcdhReply) -> None:
        """Carry the message away."""

    def emit_userauth(self, o: Userauth) -> None:
        """Carry the message away."""

    def emit_request_failure(self, o: RequestFailure) -> None:
        """Carry the message away."""

    def emit_open_confirmation(self, o: OpenConfirmation) -> None:
        """Carry the message away."""

    def emit_open_failure(self, o: OpenFailure) -> None:
        """Carry the message away."""

    def emit_window_adjust(self, o: WindowAdjust) -> None:
        """Carry the message away."""

    def emit_channel_close(self, o: ChannelClose) -> None:
        """Carry the message away."""

    def emit_channel_failure(self, o: ChannelFailure) -> None:
        """Carry the message away."""

    def ask_next_upper(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_identification(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_extensions(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_offer(self, first: bool, /) -> Any:
        """Answer a question of the machine."""
        ...

    def tell_disconnected(self, reason: int, /) -> None:
        """Take news from the machine."""

    def tell_named(self, m: Any, /) -> None:
        """Take news from the machine."""

    def tell_extended(self, m: Any, /) -> None:
        """Take news from the machine."""

    def tell_keyed(self, /) -> None:
        """Take news from the machine."""

    def tell_upper_in(self, m: Any, /) -> None:
        """Take news from the machine."""

    def ask_takes(self, channel_type: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def tell_opened(self, key: int, /) -> None:
        """Take news from the machine."""

    def tell_data_in(self, key: int, content: Any, /) -> None:
        """Take news from the machine."""

    def tell_closed(self, key: int, /) -> None:
        """Take news from the machine."""

    def ask_own_ecdh_reply(self, /) -> Any:
        """Answer a question of the machine."""
        ...


class SshTransportServer:
    """One ssh.transport.server: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: SshTransportServerHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: SshTransportServerHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.kx: str = GREET
        self.sv: str = NO_SERVICE
        self.id_in: bool = False
        self.lines: int = 0
        self.own_name: Any = None
        self.peer_name: Any = None
        self.keyed_in: bool = False
        self.keyed_out: bool = False
        self.rk: bool = False
        self.strict: bool = False
        self.skip: bool = False
        self.mine: Any = None
        self.theirs: Any = None
        self.kex_name: Any = None
        self.host_key: Any = None
        self.cipher_cs: Any = None
        self.cipher_sc: Any = None
        self.session: Any = None
        self.rx_number: int = 0
        self.tx_number: int = 0
        self.sent_packets: int = 0
        self.ext_turn: bool = False
        self.ext_known: bool = False
        self.requests: int = 0
        self.want_rekey: bool = False
        self.closing: bool = False
        self.to_send: int = 0
        self.aged: bool = False
        self.service_name: Any = None
        self.lifetime_at: int | None = None
        self.chan_of: Instances[SshTransportServerChanOf] = Instances(6)

    def _chan_of_of(self, key: Any) -> SshTransportServerChanOf:
        """The instance of family `chan_of` for this key; where none is kept, a fresh one."""
        found = self.chan_of.by_key.get(key)
        return SshTransportServerChanOf(key) if found is None else found

    def on_line(self, m: Any, now: int) -> None:
        """Take `line` through greeting, preface; then `pump`."""
        kind = m.kind
        if kind == "text_line":
            self._greeting(m, now) and self._preface(m, now)
            return
        if kind == "line":
            if self.kx in _ALIVE:
                raise UnmetEventError("ssh.transport.server", "line", self.kx)
        self._greeting(m, now)

    def _greeting(self, m: Any, now: int) -> bool:
        """Table `greeting` (rfc4253:11.1/2)."""
        kind = m.kind
        if kind == "identification":
            st = self.kx
            if st == ENDED:
                # [line.over] rfc4253:11.1/2 MUST_NOT
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "line.over", m.kind, m))
                return False
            # [id.in] rfc4253:4.2/1 MUST, rfc4253:5/1 MUST
            if not self.id_in and m.length <= 255 and (m.version == "2.0" or m.version == "1.99"):
                self.id_in = True
                self.peer_name = m.raw
                self.host.tell_named(m)
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.in", m.kind, m))
                return False
            if not self.id_in and m.length > 255:  # [id.long] rfc4253:4.2/6 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.long", m.kind, m))
                return False
            # [id.version] rfc4253:4.2/1 MUST
            if not self.id_in and m.length <= 255 and not (m.version == "2.0" or m.version == "1.99"):
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=8))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.version", m.kind, m))
                return False
            if self.id_in:  # [id.twice] rfc4253:4.2/1 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.twice", m.kind, m))
                return False
            raise IncompleteTableError("ssh.transport.server", "greeting", m.kind)
        st = self.kx
        if st == ENDED:
            # [line.over] rfc4253:11.1/2 MUST_NOT
            if self.on_step is not None:
                self.on_step(Step(now, "greeting", "line.over", m.kind, m))
            return False
        return True

    def _preface(self, m: Any, now: int) -> bool:
        """Table `preface` (rfc4253:4.2/9)."""
        st = self.kx
        if st in _ALIVE:
            # [line.in] rfc4253:4.2/9 MUST_NOT
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "preface", "line.in", m.kind, m))
            return False
        return True

    def on_msg(self, m: Any, now: int) -> None:
        """Take `msg` through wire, guess, phase, transport, answer, method, services, uppers, channels; then
        `pump`.
        """
        kind = m.kind
        if kind == "ecdh_init":
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._answer(m, now)
                and self._method(m, now)
            )
            return
        if kind in ("service_request", "service_accept"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._services(m, now)
            )
            return
        if kind in ("exchange", "kexinit", "newkeys", "ecdh_reply", "kex_other"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._method(m, now)
            )
            return
        if kind in ("upper", "userauth", "global_request", "request_success", "request_failure"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._uppers(m, now)
            )
            return
        if (
            kind
            in (
                "msg", "generic", "ignore", "debug", "unimplemented", "ext_info", "disconnect", "unknown",
                "service",
            )
        ):
            self._wire(m, now) and self._guess(m, now) and self._phase(m, now) and self._transport(m, now)
            return
        (
            self._wire(m, now)
            and self._guess(m, now)
            and self._phase(m, now)
            and self._transport(m, now)
            and self._uppers(m, now)
            and self._channels(m, now)
        )

    def _wire(self, m: Any, now: int) -> bool:
        """Table `wire` (rfc4253:11.1/2)."""
        st = self.kx
        if st == ENDED:
            # [wire.over] rfc4253:11.1/2 MUST_NOT
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.over", m.kind, m))
            return False
        if not self.id_in:  # [wire.early] rfc4253:4.2/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.early", m.kind, m))
            return False
        # [wire.length] rfc4253:6/7 SHOULD, rfc4253:6/5 MUST, rfc4253:6/6 MUST, rfc4253:6/4 MUST
        if not (
            m.length >= 5
            and m.length <= 34996
            and (m.framed % max(m.block, 8) if max(m.block, 8) else 0) == 0
        ):
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.length", m.kind, m))
            return False
        # [wire.mac] rfc4253:6.4/1 MUST, rfc4253:7.3/1 MUST, strict:6 MUST
        if (
            m.length >= 5
            and m.length <= 34996
            and (m.framed % max(m.block, 8) if max(m.block, 8) else 0) == 0
            and not (m.mac_ok and m.number == self.rx_number)
        ):
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=5))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.mac", m.kind, m))
            return False
        # [wire.padding] rfc4253:6/2 MUST, rfc4253:6/8 MUST
        if (
            m.length >= 5
            and m.length <= 34996
            and (m.framed % max(m.block, 8) if max(m.block, 8) else 0) == 0
            and m.mac_ok
            and m.number == self.rx_number
            and not (m.padding >= 4 and m.padding + 2 <= m.length)
        ):
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.padding", m.kind, m))
            return False
        # [wire.wrap] strict:7 SHOULD
        if (
            m.length >= 5
            and m.length <= 34996
            and (m.framed % max(m.block, 8) if max(m.block, 8) else 0) == 0
            and m.mac_ok
            and m.number == self.rx_number
            and m.padding >= 4
            and m.padding + 2 <= m.length
            and not self.keyed_in
            and self.rx_number == 4294967295
        ):
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.wrap", m.kind, m))
            return False
        # [wire.ok] rfc4253:6/1 MUST, rfc4253:6/6 MUST, rfc4253:6.4/1 MUST
        if (
            m.length >= 5
            and m.length <= 34996
            and (m.framed % max(m.block, 8) if max(m.block, 8) else 0) == 0
            and m.mac_ok
            and m.number == self.rx_number
            and m.padding >= 4
            and m.padding + 2 <= m.length
            and (self.keyed_in or self.rx_number != 4294967295)
        ):
            self.rx_number = (self.rx_number + 1) % 4294967296
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.ok", m.kind, m))
            return True
        raise IncompleteTableError("ssh.transport.server", "wire", m.kind)

    def _guess(self, m: Any, now: int) -> bool:
        """Table `guess` (rfc4253:7/2)."""
        if self.skip:  # [guess.wrong] rfc4253:7/2 MUST
            self.skip = False
            if self.on_step is not None:
                self.on_step(Step(now, "guess", "guess.wrong", m.kind, m))
            return False
        # [guess.none] rfc4253:7/3 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "guess", "guess.none", m.kind, m))
        return True

    def _phase(self, m: Any, now: int) -> bool:
        """Table `phase` (rfc4253:11.1/1)."""
        kind = m.kind
        if kind == "disconnect":
            # [ph.bye] rfc4253:11.1/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.bye", m.kind, m))
            return True
        if kind in ("service", "service_request", "service_accept"):
            if not self.keyed_in:  # [ph.service.early] rfc4253:10/3 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.service.early", m.kind, m))
                return False
            if self.rk:  # [ph.service.rekey] rfc4253:10/3 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.service.rekey", m.kind, m))
                return False
            # [ph.service] rfc4253:7.1/11 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.service", m.kind, m))
            return True
        if kind in ("upper", "userauth", "global_request", "request_success", "request_failure"):
            if not self.keyed_in:  # [ph.upper.early] rfc4253:7.1/10 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.upper.early", m.kind, m))
                return False
            if self.rk:  # [ph.upper.rekey] rfc4253:7.1/10 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.upper.rekey", m.kind, m))
                return False
            # [ph.upper] rfc4253:7.1/11 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.upper", m.kind, m))
            return True
        if kind in ("exchange", "kexinit", "newkeys", "ecdh_init", "ecdh_reply", "kex_other"):
            # [ph.exchange] rfc4253:11.1/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.exchange", m.kind, m))
            return True
        if kind in ("msg", "generic", "ignore", "debug", "unimplemented", "ext_info", "unknown"):
            if self.strict and not self.keyed_in:  # [ph.strict] strict:5 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.strict", m.kind, m))
                return False
            if (not self.strict or self.keyed_in):  # [ph.any] rfc4253:11.2/1 MUST, strict:8 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.any", m.kind, m))
                return True
            raise IncompleteTableError("ssh.transport.server", "phase", m.kind)
        if not self.keyed_in:  # [ph.chan.early] rfc4253:7.1/10 MUST_NOT
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.chan.early", m.kind, m))
            return False
        if self.rk:  # [ph.chan.rekey] rfc4253:7.1/10 MUST_NOT
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.chan.rekey", m.kind, m))
            return False
        # [ph.chan] rfc4253:7.1/11 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "phase", "ph.chan", m.kind, m))
        return True

    def _transport(self, m: Any, now: int) -> bool:
        """Table `transport` (rfc4253:11.1/1)."""
        kind = m.kind
        if kind == "ignore":
            # [t.ignore] rfc4253:11.2/1 MUST, strict:8 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "t.ignore", m.kind, m))
            return False
        if kind == "debug":
            # [t.debug] rfc4253:11.3/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "t.debug", m.kind, m))
            return False
        if kind == "unimplemented":
            # [t.undone] rfc4253:11.4/2 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "t.undone", m.kind, m))
            return False
        if kind == "ext_info":
            if m.ok and self.keyed_in:  # [ext.in] rfc8308:2.4/2 MUST, rfc8308:2.4/3 MUST, rfc8308:2.5/1 MUST
                self.host.tell_extended(m)
                if self.on_step is not None:
                    self.on_step(Step(now, "transport", "ext.in", m.kind, m))
                return False
            if m.ok and not self.keyed_in:  # [ext.early] rfc8308:2.4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "transport", "ext.early", m.kind, m))
                return False
            if not m.ok:  # [ext.broken] rfc8308:2.5/2 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "transport", "ext.broken", m.kind, m))
                return False
            raise IncompleteTableError("ssh.transport.server", "transport", m.kind)
        if kind == "disconnect":
            # [t.bye] rfc4253:11.1/1 MUST, rfc4253:11.1/2 MUST_NOT
            self.host.tell_disconnected(m.reason)
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "t.bye", m.kind, m))
            return False
        if kind == "unknown":
            # [t.unknown] rfc4253:11.4/1 MUST, rfc4251:7/1 MUST
            self.host.emit_unimplemented(Unimplemented(number=self.tx_number, what=m.number))
            self.tx_number = (self.tx_number + 1) % 4294967296
            self.ext_turn = False
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "t.unknown", m.kind, m))
            return False
        if kind in ("exchange", "kexinit", "newkeys", "ecdh_init", "ecdh_reply", "kex_other"):
            # [t.kex] rfc4253:12/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "t.kex", m.kind, m))
            return True
        # [t.rest] rfc4251:7/1 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "transport", "t.rest", m.kind, m))
        return True

    def _answer(self, m: Any, now: int) -> bool:
        """Table `answer` (rfc8731:3/3)."""
        st = self.kx
        if st == AWAIT:
            if not m.ok:  # [dh.broken] rfc8731:3/3 MUST, rfc4253:8/1 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=3))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "answer", "dh.broken", m.kind, m))
                return False
            # [dh.in] rfc8731:3/3 MUST
            self.kx = SPEAK
            if self.on_step is not None:
                self.on_step(Step(now, "answer", "dh.in", m.kind, m))
            return False
        return True

    def _method(self, m: Any, now: int) -> bool:
        """Table `method` (rfc4253:7/1)."""
        kind = m.kind
        if kind == "kexinit":
            st = self.kx
            if st == QUIET:
                # [ki.broken] rfc4253:7/1 MUST
                if not (
                    m.ok
                    and head(m.kex) != ""
                    and head(m.host_keys) != ""
                    and head(m.enc_cs) != ""
                    and head(m.enc_sc) != ""
                    and head(m.mac_cs) != ""
                    and head(m.mac_sc) != ""
                    and head(m.comp_cs) != ""
                    and head(m.comp_sc) != ""
                ):
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "ki.broken", m.kind, m))
                    return False
                # [ki.in] rfc4253:9/1 MUST, rfc4253:7.1/7 SHOULD, rfc4253:7.1/9 MUST
                if (
                    m.ok
                    and head(m.kex) != ""
                    and head(m.host_keys) != ""
                    and head(m.enc_cs) != ""
                    and head(m.enc_sc) != ""
                    and head(m.mac_cs) != ""
                    and head(m.mac_sc) != ""
                    and head(m.comp_cs) != ""
                    and head(m.comp_sc) != ""
                    and not self.rk
                ):
                    self.theirs = m
                    self.rk = True
                    self.kx = ASKED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "ki.in", m.kind, m))
                    return False
                # [ki.second] rfc4253:7.1/12 MUST_NOT
                if (
                    m.ok
                    and head(m.kex) != ""
                    and head(m.host_keys) != ""
                    and head(m.enc_cs) != ""
                    and head(m.enc_sc) != ""
                    and head(m.mac_cs) != ""
                    and head(m.mac_sc) != ""
                    and head(m.comp_cs) != ""
                    and head(m.comp_sc) != ""
                    and self.rk
                ):
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "ki.second", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "method", m.kind)
            if st == MINE:
                # [ki.broken] rfc4253:7/1 MUST
                if not (
                    m.ok
                    and head(m.kex) != ""
                    and head(m.host_keys) != ""
                    and head(m.enc_cs) != ""
                    and head(m.enc_sc) != ""
                    and head(m.mac_cs) != ""
                    and head(m.mac_sc) != ""
                    and head(m.comp_cs) != ""
                    and head(m.comp_sc) != ""
                ):
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "ki.broken", m.kind, m))
                    return False
                # [ki.meet] rfc4253:9/1 MUST, rfc4253:7.1/7 SHOULD, rfc4253:5/2 MAY
                if (
                    m.ok
                    and head(m.kex) != ""
                    and head(m.host_keys) != ""
                    and head(m.enc_cs) != ""
                    and head(m.enc_sc) != ""
                    and head(m.mac_cs) != ""
                    and head(m.mac_sc) != ""
                    and head(m.comp_cs) != ""
                    and head(m.comp_sc) != ""
                ):
                    self.theirs = m
                    self.rk = True
                    self.kx = AGREE
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "ki.meet", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "method", m.kind)
            if st == ENDED:
                if self.strict and not self.keyed_in:  # [kex.strict] strict:5 MUST, strict:9 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "kex.strict", m.kind, m))
                    return False
                if (not self.strict or self.keyed_in):  # [kex.stray] rfc4253:12/1 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "kex.stray", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "method", m.kind)
            # [ki.broken] rfc4253:7/1 MUST
            if not (
                m.ok
                and head(m.kex) != ""
                and head(m.host_keys) != ""
                and head(m.enc_cs) != ""
                and head(m.enc_sc) != ""
                and head(m.mac_cs) != ""
                and head(m.mac_sc) != ""
                and head(m.comp_cs) != ""
                and head(m.comp_sc) != ""
            ):
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "ki.broken", m.kind, m))
                return False
            # [ki.busy] rfc4253:7.1/12 MUST_NOT, strict:9 MUST
            if (
                m.ok
                and head(m.kex) != ""
                and head(m.host_keys) != ""
                and head(m.enc_cs) != ""
                and head(m.enc_sc) != ""
                and head(m.mac_cs) != ""
                and head(m.mac_sc) != ""
                and head(m.comp_cs) != ""
                and head(m.comp_sc) != ""
            ):
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "ki.busy", m.kind, m))
                return False
            raise IncompleteTableError("ssh.transport.server", "method", m.kind)
        if kind == "newkeys":
            st = self.kx
            if st == QUIET:
                if self.rk and m.ok:  # [nk.in] rfc4253:7.3/1 MUST, strict:6 MUST, rfc4253:9/3 MUST
                    self.rk = False
                    self.keyed_in = True
                    self.rx_number = 0 if self.strict else self.rx_number
                    self.host.tell_keyed()
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "nk.in", m.kind, m))
                    return False
                if self.rk and not m.ok:  # [nk.broken] rfc4253:7.3/3 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "nk.broken", m.kind, m))
                    return False
                if not self.rk:  # [nk.early] rfc4253:7.3/2 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "nk.early", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "method", m.kind)
            if st == ENDED:
                if self.strict and not self.keyed_in:  # [kex.strict] strict:5 MUST, strict:9 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "kex.strict", m.kind, m))
                    return False
                if (not self.strict or self.keyed_in):  # [kex.stray] rfc4253:12/1 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "method", "kex.stray", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "method", m.kind)
            # [nk.busy] rfc4253:7.3/2 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "nk.busy", m.kind, m))
            return False
        if self.strict and not self.keyed_in:  # [kex.strict] strict:5 MUST, strict:9 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "kex.strict", m.kind, m))
            return False
        if (not self.strict or self.keyed_in):  # [kex.stray] rfc4253:12/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "kex.stray", m.kind, m))
            return False
        raise IncompleteTableError("ssh.transport.server", "method", m.kind)

    def _services(self, m: Any, now: int) -> bool:
        """Table `services` (rfc4253:10/1)."""
        kind = m.kind
        if kind == "service_request":
            st = self.sv
            if st == NO_SERVICE:
                if (m.name == "ssh-userauth" or m.name == "ssh-connection"):  # [sv.ask] rfc4253:10/1 MUST
                    self.service_name = m.name
                    self.sv = REQUESTED
                    if self.on_step is not None:
                        self.on_step(Step(now, "services", "sv.ask", m.kind, m))
                    return False
                # [sv.unknown] rfc4253:10/2 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=7))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "services", "sv.unknown", m.kind, m))
                return False
            if (m.name == "ssh-userauth" or m.name == "ssh-connection"):  # [sv.again] rfc4253:10/1 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "services", "sv.again", m.kind, m))
                return False
            # [sv.unknown] rfc4253:10/2 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=7))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "services", "sv.unknown", m.kind, m))
            return False
        # [sv.role] rfc4253:11.4/1 MUST
        self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "services", "sv.role", m.kind, m))
        return False

    def _uppers(self, m: Any, now: int) -> bool:
        """Table `uppers` (rfc4253:10/4)."""
        kind = m.kind
        if kind == "userauth":
            if self.sv == SERVED:  # [up.in] rfc4253:7.1/11 MUST
                self.host.tell_upper_in(m)
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "up.in", m.kind, m))
                return False
            # [up.in.early] rfc4253:10/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "uppers", "up.in.early", m.kind, m))
            return False
        if kind == "global_request":
            served = self.sv == SERVED
            if served and m.want_reply:  # [gr.in] rfc4254:4/1 MUST, openssh:keepalive MUST
                self.requests += 1
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "gr.in", m.kind, m))
                return False
            if served and not m.want_reply:  # [gr.quiet] rfc4254:4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "gr.quiet", m.kind, m))
                return False
            if not served:  # [gr.early] rfc4253:10/4 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "gr.early", m.kind, m))
                return False
            raise IncompleteTableError("ssh.transport.server", "uppers", m.kind)
        if kind in ("upper", "request_success", "request_failure"):
            if self.sv != SERVED:  # [up.early] rfc4253:10/4 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "up.early", m.kind, m))
                return False
            # [gr.reply] rfc4254:4/3 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "uppers", "gr.reply", m.kind, m))
            return False
        if self.sv != SERVED:  # [chan.early] rfc4253:10/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "uppers", "chan.early", m.kind, m))
            return False
        # [chan.in] rfc4254:5.1/3 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "uppers", "chan.in", m.kind, m))
        return True

    def _channels(self, m: Any, now: int) -> bool:
        """Table `channels` (rfc4254:5.1/1)."""
        chan_of = self._chan_of_of(m.key)
        kind = m.kind
        if kind == "channel_open":
            st = chan_of.ch
            if st == FREE:
                # [co.in] rfc4254:5.1/1 MUST, rfc4254:5.1/3 MUST
                chan_of.peer_id = m.sender
                chan_of.tx_window = m.window
                chan_of.tx_packet = m.packet
                chan_of.wanted = m.channel_type
                chan_of.rx_window = 2097152
                chan_of.replies = 0
                chan_of.eof_in = False
                chan_of.close_in = False
                chan_of.close_out = False
                chan_of.ch = OPENING
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "channels", "co.in", m.kind, m))
                return False
            # [co.taken] rfc4254:5.1/3 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "co.taken", m.kind, m))
            return False
        if kind == "open_confirmation":
            # [co.stray] rfc4254:5.1/5 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "co.stray", m.kind, m))
            return False
        if kind == "open_failure":
            # [cf.stray] rfc4254:5.1/5 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "cf.stray", m.kind, m))
            return False
        if kind == "window_adjust":
            st = chan_of.ch
            if st == LIVE:
                if chan_of.tx_window + m.add <= 4294967295:  # [cw.in] rfc4254:5.2/2 MUST, rfc4254:5.2/3 MUST
                    chan_of.tx_window += m.add
                    self._settle_chan_of(chan_of, now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cw.in", m.kind, m))
                    return False
                # [cw.over] rfc4254:5.2/2 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "channels", "cw.over", m.kind, m))
                return False
            # [ch.stray] rfc4254:5.1/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "ch.stray", m.kind, m))
            return False
        if kind == "channel_data":
            st = chan_of.ch
            if st == LIVE:
                # [cd.in] rfc4254:5.2/5 MUST, rfc4254:5.3/6 SHOULD
                if (
                    not chan_of.eof_in
                    and not chan_of.close_in
                    and m.len <= chan_of.rx_window
                    and m.len <= 32768
                ):
                    chan_of.rx_window -= m.len
                    self.host.tell_data_in(m.key, m.content)
                    self._settle_chan_of(chan_of, now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cd.in", m.kind, m))
                    return False
                # [cd.over] rfc4254:5.2/1 MUST_NOT
                if (
                    not chan_of.eof_in
                    and not chan_of.close_in
                    and (m.len > chan_of.rx_window or m.len > 32768)
                ):
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cd.over", m.kind, m))
                    return False
                if not (not chan_of.eof_in and not chan_of.close_in):  # [cd.late] rfc4254:5.3/2 MUST_NOT
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cd.late", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "channels", m.kind)
            # [ch.stray] rfc4254:5.1/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "ch.stray", m.kind, m))
            return False
        if kind == "channel_eof":
            st = chan_of.ch
            if st == LIVE:
                # [ce.in] rfc4254:5.3/1 SHOULD, rfc4254:5.3/5 MAY
                chan_of.eof_in = True
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "channels", "ce.in", m.kind, m))
                return False
            # [ch.stray] rfc4254:5.1/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "ch.stray", m.kind, m))
            return False
        if kind == "channel_close":
            st = chan_of.ch
            if st == LIVE:
                if not chan_of.close_in:  # [cc.in] rfc4254:5.3/3 MUST, rfc4254:5.3/5 MAY
                    chan_of.close_in = True
                    self._settle_chan_of(chan_of, now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cc.in", m.kind, m))
                    return False
                # [cc.twice] rfc4254:5.3/4 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "channels", "cc.twice", m.kind, m))
                return False
            # [ch.stray] rfc4254:5.1/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "ch.stray", m.kind, m))
            return False
        if kind == "channel_request":
            st = chan_of.ch
            if st == LIVE:
                # [cr.in] rfc4254:5.4/2 MUST, rfc4254:5.4/3 MUST, rfc4254:6.2/1 SHOULD, rfc4254:6.5/3 SHOULD
                if m.want_reply and not chan_of.close_in:
                    chan_of.replies += 1
                    self._settle_chan_of(chan_of, now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cr.in", m.kind, m))
                    return False
                # [cr.quiet] rfc4254:5.4/1 MUST, rfc4254:6.7/1 SHOULD_NOT
                if (not m.want_reply or chan_of.close_in):
                    if self.on_step is not None:
                        self.on_step(Step(now, "channels", "cr.quiet", m.kind, m))
                    return False
                raise IncompleteTableError("ssh.transport.server", "channels", m.kind)
            # [ch.stray] rfc4254:5.1/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "channels", "ch.stray", m.kind, m))
            return False
        # [ch.stray] rfc4254:5.1/4 MUST
        self.host.emit_disconnect(Disconnect(number=self.tx_number, reason=2))
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "channels", "ch.stray", m.kind, m))
        return False

    def call_rekey(self, now: int) -> str | None:
        """The user's call `rekey`; the code of a refusal, or None."""
        # [call.rekey] rfc4253:9/1 MUST
        self.want_rekey = True
        if self.on_step is not None:
            self.on_step(Step(now, "calls", "call.rekey", "rekey", None))
        return None

    def call_close(self, now: int) -> str | None:
        """The user's call `close`; the code of a refusal, or None."""
        # [call.close] rfc4253:11.1/1 MUST
        self.closing = True
        if self.on_step is not None:
            self.on_step(Step(now, "calls", "call.close", "close", None))
        return None

    def call_send_upper(self, now: int) -> str | None:
        """The user's call `send_upper`; the code of a refusal, or None."""
        # [call.send] rfc4253:9/6 MUST
        self.to_send += 1
        if self.on_step is not None:
            self.on_step(Step(now, "calls", "call.send", "send_upper", None))
        return None

    def timer_lifetime(self, now: int) -> None:
        """Timer `lifetime` has expired."""
        # [age.over] rfc4253:9/5 SHOULD
        self.aged = True
        if self.on_step is not None:
            self.on_step(Step(now, "renewal", "age.over", "lifetime", None))
        return

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            if self.lifetime_at is not None and self.lifetime_at <= at:
                at = self.lifetime_at
                which = "lifetime"
            if which == "lifetime":
                self.lifetime_at = None
                self.timer_lifetime(now)
            else:
                return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best = self.lifetime_at
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.kx
            if st == GREET:
                if self._out_id_out(now):  # [id.out]
                    continue
                if self.closing and self._out_bye_out(now):  # [bye.out]
                    continue
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                return
            if st == QUIET:
                if not self.keyed_out and self._out_ki_first(now):  # [ki.first]
                    continue
                if self.ext_turn and self.ext_known and self._out_ext_out(now):  # [ext.out]
                    continue
                if self.closing and self._out_bye_out(now):  # [bye.out]
                    continue
                # [ki.again]
                if (
                    self.keyed_out
                    and self.keyed_in
                    and not self.rk
                    and (self.want_rekey or self.aged or self.sent_packets >= REKEY_PACKETS)
                    and self._out_ki_again(now)
                ):
                    continue
                if self.sv == REQUESTED and self.keyed_out and self._out_sv_out(now):  # [sv.out]
                    continue
                if self.requests > 0 and self.keyed_out and self._out_gr_fail(now):  # [gr.fail]
                    continue
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                # [up.out]
                if self.sv == SERVED and self.keyed_out and self.to_send > 0 and self._out_up_out(now):
                    continue
                return
            if st == ASKED:
                if self._out_ki_answer(now):  # [ki.answer]
                    continue
                if self.closing and self._out_bye_out(now):  # [bye.out]
                    continue
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                return
            if st == AGREE:
                # [kx.late]
                if (
                    not self.keyed_out
                    and "kex-strict-c-v00@openssh.com" in (self.theirs.kex or ())
                    and "kex-strict-s-v00@openssh.com" in (self.mine.kex or ())
                    and self.rx_number != 1
                    and self._out_kx_late(now)
                ):
                    continue
                # [kx.none]
                if (
                    not self._late_kexinit()
                    and not (
                        agreed(self.theirs.kex, self.mine.kex) != ""
                        and agreed(self.theirs.kex, self.mine.kex)
                        not in (
                            "kex-strict-s-v00@openssh.com",
                            "kex-strict-c-v00@openssh.com",
                            "ext-info-s",
                            "ext-info-c",
                        )
                        and agreed(self.theirs.host_keys, self.mine.host_keys) != ""
                        and agreed(self.theirs.enc_cs, self.mine.enc_cs) != ""
                        and agreed(self.theirs.enc_sc, self.mine.enc_sc) != ""
                        and (self._sealing() or agreed(self.theirs.mac_cs, self.mine.mac_cs) != "")
                        and (self._sealing_() or agreed(self.theirs.mac_sc, self.mine.mac_sc) != "")
                        and agreed(self.theirs.comp_cs, self.mine.comp_cs) != ""
                        and agreed(self.theirs.comp_sc, self.mine.comp_sc) != ""
                    )
                    and self._out_kx_none(now)
                ):
                    continue
                # [kx.agreed]
                if (
                    not self._late_kexinit()
                    and agreed(self.theirs.kex, self.mine.kex) != ""
                    and agreed(self.theirs.kex, self.mine.kex)
                    not in (
                        "kex-strict-s-v00@openssh.com",
                        "kex-strict-c-v00@openssh.com",
                        "ext-info-s",
                        "ext-info-c",
                    )
                    and agreed(self.theirs.host_keys, self.mine.host_keys) != ""
                    and agreed(self.theirs.enc_cs, self.mine.enc_cs) != ""
                    and agreed(self.theirs.enc_sc, self.mine.enc_sc) != ""
                    and (self._sealing() or agreed(self.theirs.mac_cs, self.mine.mac_cs) != "")
                    and (self._sealing_() or agreed(self.theirs.mac_sc, self.mine.mac_sc) != "")
                    and agreed(self.theirs.comp_cs, self.mine.comp_cs) != ""
                    and agreed(self.theirs.comp_sc, self.mine.comp_sc) != ""
                    and self._out_kx_agreed(now)
                ):
                    continue
                if self.closing and self._out_bye_out(now):  # [bye.out]
                    continue
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                return
            if st == SPEAK:
                if self._out_dh_out(now):  # [dh.out]
                    continue
                if self.closing and self._out_bye_out(now):  # [bye.out]
                    continue
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                return
            if st == KEYS:
                if self._out_nk_out(now):  # [nk.out]
                    continue
                if self.closing and self._out_bye_out(now):  # [bye.out]
                    continue
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                return
            if st == ENDED:
                if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                    continue
                if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                    continue
                if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                    continue
                if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                    continue
                if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                    continue
                if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                    continue
                return
            if self.closing and self._out_bye_out(now):  # [bye.out]
                continue
            if self._each_co_ok(now):  # [co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT
                continue
            if self._each_co_deny(now):  # [co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD
                continue
            if self._each_co_type(now):  # [co.type] rfc4254:5.1/2 MUST
                continue
            if self._each_cr_fail(now):  # [cr.fail] rfc4254:5.4/2 MUST
                continue
            if self._each_cw_out(now):  # [cw.out] rfc4254:5.2/6 MUST
                continue
            if self._each_cc_out(now):  # [cc.out] rfc4254:5.3/3 MUST
                continue
            return
        raise EndlessOutputError("ssh.transport.server", self.kx)

    def _out_id_out(self, now: int) -> bool:
        """[id.out] rfc4253:4.2/1 MUST, rfc4253:4.2/6 MUST, rfc4253:4.2/9 MUST_NOT."""
        made = self.host.ask_own_identification()
        o = Identification(length=made.length, raw=made.raw, version=made.version)
        if not (o.version == "2.0" and o.length <= 255):
            return False
        self.own_name = o.raw
        self.host.emit_identification(o)
        self.kx = QUIET
        if self.on_step is not None:
            self.on_step(Step(now, "out", "id.out", "identification", o))
        return True

    def _out_ki_first(self, now: int) -> bool:
        """[ki.first] rfc4253:7/1 MUST, rfc4253:5/2 MAY, strict:1 MUST, rfc8308:2.1/1 MAY, rfc8308:2.1/2
        MUST_NOT.
        """
        made = self.host.ask_own_offer(True)
        o = Kexinit(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
            ok=made.ok,
            raw=made.raw,
            kex=made.kex,
            host_keys=made.host_keys,
            enc_cs=made.enc_cs,
            enc_sc=made.enc_sc,
            mac_cs=made.mac_cs,
            mac_sc=made.mac_sc,
            comp_cs=made.comp_cs,
            comp_sc=made.comp_sc,
            lang_cs=made.lang_cs,
            lang_sc=made.lang_sc,
            follows=made.follows,
            reserved=made.reserved,
        )
        if not (
            o.ok
            and head(o.kex) != ""
            and head(o.host_keys) != ""
            and head(o.enc_cs) != ""
            and head(o.enc_sc) != ""
            and head(o.mac_cs) != ""
            and head(o.mac_sc) != ""
            and head(o.comp_cs) != ""
            and head(o.comp_sc) != ""
            and o.reserved == 0
            and not o.follows
            and "kex-strict-c-v00@openssh.com" not in (o.kex or ())
            and "ext-info-c" not in (o.kex or ())
            and (self.keyed_out or head(o.kex) not in ("kex-strict-s-v00@openssh.com", "ext-info-s"))
        ):
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.mine = o
        self.host.emit_kexinit(o)
        self.kx = MINE
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ki.first", "kexinit", o))
        return True

    def _out_ki_answer(self, now: int) -> bool:
        """[ki.answer] rfc4253:9/1 MUST, rfc4253:7.1/8 MUST."""
        made = self.host.ask_own_offer(not self.keyed_out)
        o = Kexinit(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
            ok=made.ok,
            raw=made.raw,
            kex=made.kex,
            host_keys=made.host_keys,
            enc_cs=made.enc_cs,
            enc_sc=made.enc_sc,
            mac_cs=made.mac_cs,
            mac_sc=made.mac_sc,
            comp_cs=made.comp_cs,
            comp_sc=made.comp_sc,
            lang_cs=made.lang_cs,
            lang_sc=made.lang_sc,
            follows=made.follows,
            reserved=made.reserved,
        )
        if not (
            o.ok
            and head(o.kex) != ""
            and head(o.host_keys) != ""
            and head(o.enc_cs) != ""
            and head(o.enc_sc) != ""
            and head(o.mac_cs) != ""
            and head(o.mac_sc) != ""
            and head(o.comp_cs) != ""
            and head(o.comp_sc) != ""
            and o.reserved == 0
            and not o.follows
            and "kex-strict-c-v00@openssh.com" not in (o.kex or ())
            and "ext-info-c" not in (o.kex or ())
            and (self.keyed_out or head(o.kex) not in ("kex-strict-s-v00@openssh.com", "ext-info-s"))
        ):
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.mine = o
        self.want_rekey = False
        self.host.emit_kexinit(o)
        self.kx = AGREE
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ki.answer", "kexinit", o))
        return True

    def _out_kx_late(self, now: int) -> bool:
        """[kx.late] strict:4 MUST."""
        o = Disconnect(number=self.tx_number, reason=2)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_disconnect(o)
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "kx.late", "disconnect", o))
        return True

    def _out_kx_none(self, now: int) -> bool:
        """[kx.none] rfc4253:7.1/2 MUST, rfc4253:7.1/3 MUST, rfc4253:7.1/4 MUST, rfc4253:7.1/5 MUST,
        rfc4253:7.1/6 MUST, rfc8308:2.1/3 MUST, strict:3 MUST_NOT.
        """
        o = Disconnect(number=self.tx_number, reason=3)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_disconnect(o)
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "kx.none", "disconnect", o))
        return True

    def _out_kx_agreed(self, now: int) -> bool:
        """[kx.agreed] rfc4253:7.1/2 MUST, rfc4253:7.1/3 MUST, rfc4253:7.1/4 MUST, rfc4253:7.1/5 MUST,
        rfc4253:7.1/6 MUST, rfc4253:6.3/3 MUST, rfc4253:7/4 MUST, strict:1 MUST, strict:2 MUST.
        """
        self.strict = (
            self.strict
            or (
                not self.keyed_out
                and "kex-strict-c-v00@openssh.com" in (self.theirs.kex or ())
                and "kex-strict-s-v00@openssh.com" in (self.mine.kex or ())
            )
        )
        self.ext_known = self.ext_known or (not self.keyed_out and "ext-info-c" in (self.theirs.kex or ()))
        self.kex_name = agreed(self.theirs.kex, self.mine.kex)
        self.host_key = agreed(self.theirs.host_keys, self.mine.host_keys)
        self.cipher_cs = agreed(self.theirs.enc_cs, self.mine.enc_cs)
        self.cipher_sc = agreed(self.theirs.enc_sc, self.mine.enc_sc)
        self.skip = (
            self.theirs.follows
            and not (
                head(self.mine.kex) == head(self.theirs.kex)
                and head(self.mine.host_keys) == head(self.theirs.host_keys)
            )
        )
        self.kx = AWAIT
        if self.on_step is not None:
            self.on_step(Step(now, "auto", "kx.agreed", "", None))
        return True

    def _out_dh_out(self, now: int) -> bool:
        """[dh.out] rfc8731:3/3 MUST, rfc4253:7.2/3 MUST, rfc4253:6.6/1 MUST."""
        made = self.host.ask_own_ecdh_reply()
        o = EcdhReply(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
            raw=made.raw,
            algorithm=made.algorithm,
            secret_ok=True,
            trusted=True,
            signed=True,
            hash=made.hash,
        )
        if o.algorithm != self.host_key:
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.session = self.session if self.keyed_out else o.hash
        self.host.emit_ecdh_reply(o)
        self.kx = KEYS
        if self.on_step is not None:
            self.on_step(Step(now, "out", "dh.out", "ecdh_reply", o))
        return True

    def _out_nk_out(self, now: int) -> bool:
        """[nk.out] rfc4253:7.3/1 MUST, rfc4253:7.3/3 MUST, strict:6 MUST, rfc4253:9/3 MUST."""
        o = Newkeys(number=self.tx_number)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.tx_number = 0 if self.strict else self.tx_number
        self.sent_packets = 0
        self.ext_turn = not self.keyed_out
        self.keyed_out = True
        self.aged = False
        self.lifetime_at = now + REKEY_INTERVAL
        self.host.emit_newkeys(o)
        self.kx = QUIET
        if self.on_step is not None:
            self.on_step(Step(now, "out", "nk.out", "newkeys", o))
        return True

    def _out_ext_out(self, now: int) -> bool:
        """[ext.out] rfc8308:2.3/1 MUST, rfc8308:2.4/1 MUST, rfc8308:2.4/2 MUST."""
        made = self.host.ask_own_extensions()
        o = ExtInfo(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
        )
        if not (self.keyed_out or not self.strict):  # [o.strict] strict:5 MUST
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_ext_info(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ext.out", "ext_info", o))
        return True

    def _out_bye_out(self, now: int) -> bool:
        """[bye.out] rfc4253:11.1/1 MUST."""
        o = Disconnect(number=self.tx_number, reason=11)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_disconnect(o)
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "bye.out", "disconnect", o))
        return True

    def _out_ki_again(self, now: int) -> bool:
        """[ki.again] rfc4253:9/1 MUST, rfc4253:9/5 SHOULD, rfc4253:9/2 MUST_NOT, rfc4253:9/4 MAY."""
        made = self.host.ask_own_offer(False)
        o = Kexinit(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
            ok=made.ok,
            raw=made.raw,
            kex=made.kex,
            host_keys=made.host_keys,
            enc_cs=made.enc_cs,
            enc_sc=made.enc_sc,
            mac_cs=made.mac_cs,
            mac_sc=made.mac_sc,
            comp_cs=made.comp_cs,
            comp_sc=made.comp_sc,
            lang_cs=made.lang_cs,
            lang_sc=made.lang_sc,
            follows=made.follows,
            reserved=made.reserved,
        )
        if not (
            o.ok
            and head(o.kex) != ""
            and head(o.host_keys) != ""
            and head(o.enc_cs) != ""
            and head(o.enc_sc) != ""
            and head(o.mac_cs) != ""
            and head(o.mac_sc) != ""
            and head(o.comp_cs) != ""
            and head(o.comp_sc) != ""
            and o.reserved == 0
            and not o.follows
            and "kex-strict-c-v00@openssh.com" not in (o.kex or ())
            and "ext-info-c" not in (o.kex or ())
            and (self.keyed_out or head(o.kex) not in ("kex-strict-s-v00@openssh.com", "ext-info-s"))
        ):
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.mine = o
        self.want_rekey = False
        self.host.emit_kexinit(o)
        self.kx = MINE
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ki.again", "kexinit", o))
        return True

    def _out_sv_out(self, now: int) -> bool:
        """[sv.out] rfc4253:10/1 MUST."""
        o = ServiceAccept(number=self.tx_number, name=self.service_name)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_service_accept(o)
        self.sv = SERVED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "sv.out", "service_accept", o))
        return True

    def _out_gr_fail(self, now: int) -> bool:
        """[gr.fail] rfc4254:4/1 MUST, rfc4254:4/2 MUST."""
        o = RequestFailure(number=self.tx_number)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.requests -= 1
        self.host.emit_request_failure(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "gr.fail", "request_failure", o))
        return True

    def _each_co_ok(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[0].values():
            if self.host.ask_takes(chan_of.wanted) and self._out_co_ok(chan_of, now):
                return True
        return False

    def _out_co_ok(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[co.ok] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT."""
        o = OpenConfirmation(
            number=self.tx_number,
            key=chan_of.key,
            sender=chan_of.peer_id,
            window=2097152,
            packet=32768,
        )
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.tell_opened(o.key)
        self.host.emit_open_confirmation(o)
        chan_of.ch = LIVE
        self.chan_of.lines[0].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "co.ok", "open_confirmation", o))
        return True

    def _each_co_deny(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[1].values():
            if not self.host.ask_takes(chan_of.wanted) and self._out_co_deny(chan_of, now):
                return True
        return False

    def _out_co_deny(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[co.deny] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD."""
        o = OpenFailure(number=self.tx_number, key=chan_of.key, reason=1)
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_open_failure(o)
        chan_of.ch = FREE
        self.chan_of.lines[1].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "co.deny", "open_failure", o))
        return True

    def _each_co_type(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[2].values():
            if self._out_co_type(chan_of, now):
                return True
        return False

    def _out_co_type(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[co.type] rfc4254:5.1/2 MUST."""
        o = OpenFailure(number=self.tx_number, key=chan_of.key, reason=3)
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_open_failure(o)
        chan_of.ch = FREE
        self.chan_of.lines[2].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "co.type", "open_failure", o))
        return True

    def _each_cr_fail(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[3].values():
            if self._out_cr_fail(chan_of, now):
                return True
        return False

    def _out_cr_fail(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[cr.fail] rfc4254:5.4/2 MUST."""
        o = ChannelFailure(number=self.tx_number, key=chan_of.key)
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.replies -= 1
        self.host.emit_channel_failure(o)
        self.chan_of.lines[3].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cr.fail", "channel_failure", o))
        return True

    def _each_cw_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[4].values():
            if self._out_cw_out(chan_of, now):
                return True
        return False

    def _out_cw_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[cw.out] rfc4254:5.2/6 MUST."""
        o = WindowAdjust(number=self.tx_number, key=chan_of.key, add=2097152 - chan_of.rx_window)
        if not (o.add > 0 and chan_of.rx_window + o.add <= 4294967295):
            return False
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.rx_window += o.add
        self.host.emit_window_adjust(o)
        self.chan_of.lines[4].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cw.out", "window_adjust", o))
        return True

    def _each_cc_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[5].values():
            if self._out_cc_out(chan_of, now):
                return True
        return False

    def _out_cc_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[cc.out] rfc4254:5.3/3 MUST."""
        o = ChannelClose(number=self.tx_number, key=chan_of.key)
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.close_out = True
        self.host.tell_closed(o.key)
        self.host.emit_channel_close(o)
        chan_of.ch = FREE
        self.chan_of.lines[5].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "cc.out", "channel_close", o))
        return True

    def _out_up_out(self, now: int) -> bool:
        """[up.out] rfc4253:9/6 MUST, rfc4253:10/4 MUST."""
        made = self.host.ask_next_upper()
        o = Userauth(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
            content=made.content,
        )
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.to_send -= 1
        self.host.emit_userauth(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "up.out", "userauth", o))
        return True

    def _settle_chan_of(self, chan_of: SshTransportServerChanOf, now: int) -> None:
        """Keep the instance unless it is as instances begin or has ended; line it up for the rows that it may
        fire.
        """
        if (
            chan_of.ch == FREE
            and chan_of.peer_id == 0
            and chan_of.tx_window == 0
            and chan_of.tx_packet == 0
            and chan_of.rx_window == 0
            and chan_of.replies == 0
            and not chan_of.eof_in
            and not chan_of.close_in
            and not chan_of.close_out
            and chan_of.wanted is None
        ):
            self.chan_of.forget(chan_of)
            return
        self.chan_of.keep(chan_of, True)
        self.chan_of.line_up(0, chan_of, chan_of.ch == OPENING and chan_of.wanted == "session")
        self.chan_of.line_up(1, chan_of, chan_of.ch == OPENING and chan_of.wanted == "session")
        self.chan_of.line_up(2, chan_of, chan_of.ch == OPENING and chan_of.wanted != "session")
        self.chan_of.line_up(3, chan_of, chan_of.ch == LIVE and chan_of.replies > 0 and not chan_of.close_out)
        self.chan_of.line_up(
            4,
            chan_of,
            (
                chan_of.ch == LIVE
                and chan_of.rx_window < 1048576
                and not chan_of.eof_in
                and not chan_of.close_in
                and not chan_of.close_out
            ),
        )
        self.chan_of.line_up(5, chan_of, chan_of.ch == LIVE and chan_of.close_in and chan_of.replies == 0)

    def _late_kexinit(self) -> bool:
        """`late_kexinit` of the law."""
        return (
            not self.keyed_out
            and "kex-strict-c-v00@openssh.com" in (self.theirs.kex or ())
            and "kex-strict-s-v00@openssh.com" in (self.mine.kex or ())
            and self.rx_number != 1
        )

    def _sealing(self) -> bool:
        """`sealing` of the law."""
        return (
            agreed(self.theirs.enc_cs, self.mine.enc_cs)
            in ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
        )

    def _sealing_(self) -> bool:
        """`sealing` of the law."""
        return (
            agreed(self.theirs.enc_sc, self.mine.enc_sc)
            in ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
        )


class SshTransportServerChanOf:
    """One instance of family `chan_of`."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.ch: str = FREE
        self.peer_id: int = 0
        self.tx_window: int = 0
        self.tx_packet: int = 0
        self.rx_window: int = 0
        self.replies: int = 0
        self.eof_in: bool = False
        self.close_in: bool = False
        self.close_out: bool = False
        self.wanted: Any = None
        self.serial = 0
        self.counted = False
