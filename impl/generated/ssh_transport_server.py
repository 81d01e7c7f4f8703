# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/ssh/server.law
#   spec/ssh/transport.law
#   spec/ssh/messages.law
#   spec/ssh/login.law
#   spec/ssh/channels.law
#   spec/profiles/ssh.profile
"""The server of SSH: transport (RFC 4253) with curve25519, strict key exchange and EXT_INFO; login (RFC
4252); channels (RFC 4254)

Machine ssh.transport.server under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.instances import Instances
from wirelaw.impl.runtime.machine import EndlessOutputError, OUTPUTS_PER_PUMP, Step, UnmetEventError
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
# States of region `au`.
STRANGER: Final = "STRANGER"
USER: Final = "USER"
# States of region `ch`.
FREE: Final = "FREE"
OPENING: Final = "OPENING"
ASKING: Final = "ASKING"
LIVE: Final = "LIVE"
GONE: Final = "GONE"
# States of region `sv`.
NO_SERVICE: Final = "NO_SERVICE"
REQUESTED: Final = "REQUESTED"
SERVED: Final = "SERVED"
_ALIVE: Final = frozenset({GREET, QUIET, MINE, ASKED, AGREE, SPEAK, AWAIT, KEYS})
_TAKEN: Final = frozenset({OPENING, ASKING, LIVE})
_NOT_ASKING_NOR_GONE: Final = frozenset({FREE, OPENING, LIVE})
_NOT_LIVE_NOR_GONE: Final = frozenset({FREE, OPENING, ASKING})

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
    reason: Any = None


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
class UserauthRequest(Upper):
    """Message `userauth_request`."""

    kind: ClassVar[str] = "userauth_request"
    user: Any = None
    service: Any = None
    method: Any = None
    content: Any = None


@dataclass(slots=True)
class UserauthFailure(Upper):
    """Message `userauth_failure`."""

    kind: ClassVar[str] = "userauth_failure"
    methods: Any = None
    partial: bool = False


@dataclass(slots=True)
class UserauthSuccess(Upper):
    """Message `userauth_success`."""

    kind: ClassVar[str] = "userauth_success"


@dataclass(slots=True)
class UserauthBanner(Upper):
    """Message `userauth_banner`."""

    kind: ClassVar[str] = "userauth_banner"
    content: Any = None


@dataclass(slots=True)
class UserauthMethod(Upper):
    """Message `userauth_method`."""

    kind: ClassVar[str] = "userauth_method"
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
    reason: Any = None


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
class ChannelExtended(Chan):
    """Message `channel_extended`."""

    kind: ClassVar[str] = "channel_extended"
    len: int = 0
    code: int = 0
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
    request: Any = None
    content: Any = None


@dataclass(slots=True)
class ChannelSuccess(Chan):
    """Message `channel_success`."""

    kind: ClassVar[str] = "channel_success"


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

    def emit_userauth_failure(self, o: UserauthFailure) -> None:
        """Carry the message away."""

    def emit_userauth_success(self, o: UserauthSuccess) -> None:
        """Carry the message away."""

    def emit_userauth_banner(self, o: UserauthBanner) -> None:
        """Carry the message away."""

    def emit_request_failure(self, o: RequestFailure) -> None:
        """Carry the message away."""

    def emit_channel_open(self, o: ChannelOpen) -> None:
        """Carry the message away."""

    def emit_open_confirmation(self, o: OpenConfirmation) -> None:
        """Carry the message away."""

    def emit_open_failure(self, o: OpenFailure) -> None:
        """Carry the message away."""

    def emit_window_adjust(self, o: WindowAdjust) -> None:
        """Carry the message away."""

    def emit_channel_data(self, o: ChannelData) -> None:
        """Carry the message away."""

    def emit_channel_eof(self, o: ChannelEof) -> None:
        """Carry the message away."""

    def emit_channel_close(self, o: ChannelClose) -> None:
        """Carry the message away."""

    def emit_channel_request(self, o: ChannelRequest) -> None:
        """Carry the message away."""

    def emit_channel_success(self, o: ChannelSuccess) -> None:
        """Carry the message away."""

    def emit_channel_failure(self, o: ChannelFailure) -> None:
        """Carry the message away."""

    def ask_own_identification(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_extensions(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_own_offer(self, first: bool, /) -> Any:
        """Answer a question of the machine."""
        ...

    def tell_disconnected(self, reason: Any, /) -> None:
        """Take news from the machine."""

    def tell_named(self, m: Any, /) -> None:
        """Take news from the machine."""

    def tell_extended(self, m: Any, /) -> None:
        """Take news from the machine."""

    def tell_keyed(self, /) -> None:
        """Take news from the machine."""

    def ask_admits(self, user: Any, method: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def ask_ways_in(self, /) -> Any:
        """Answer a question of the machine."""
        ...

    def tell_wants_in(self, m: Any, /) -> None:
        """Take news from the machine."""

    def tell_proves(self, m: Any, /) -> None:
        """Take news from the machine."""

    def ask_takes(self, channel_type: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def ask_grants(self, key: int, request: Any, /) -> bool:
        """Answer a question of the machine."""
        ...

    def ask_piece(self, key: int, count: int, /) -> Any:
        """Answer a question of the machine."""
        ...

    def ask_next_request(self, key: int, /) -> Any:
        """Answer a question of the machine."""
        ...

    def tell_opened(self, key: int, /) -> None:
        """Take news from the machine."""

    def tell_refused(self, key: int, reason: Any, /) -> None:
        """Take news from the machine."""

    def tell_answered(self, key: int, ok: bool, /) -> None:
        """Take news from the machine."""

    def tell_requested(self, key: int, m: Any, /) -> None:
        """Take news from the machine."""

    def tell_data_in(self, key: int, content: Any, /) -> None:
        """Take news from the machine."""

    def tell_extended_in(self, key: int, code: int, content: Any, /) -> None:
        """Take news from the machine."""

    def tell_ended(self, key: int, /) -> None:
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
        self.au: str = STRANGER
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
        self.aged: bool = False
        self.service_name: Any = None
        self.attempts: tuple[tuple[Any, ...], ...] = ()
        self.lifetime_at: int | None = None
        self.chan_of: Instances[SshTransportServerChanOf] = Instances(12)

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
            if self.id_in:  # [id.twice] rfc4253:4.2/1 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.twice", m.kind, m))
                return False
            if m.length > 255:  # [id.long] rfc4253:4.2/6 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.long", m.kind, m))
                return False
            if m.version not in ("2.0", "1.99"):  # [id.version] rfc4253:4.2/1 MUST
                self.host.emit_disconnect(
                    Disconnect(number=self.tx_number, reason="protocol_version_not_supported")
                )
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "greeting", "id.version", m.kind, m))
                return False
            # [id.in] rfc4253:4.2/1 MUST, rfc4253:5/1 MUST
            self.id_in = True
            self.peer_name = m.raw
            self.host.tell_named(m)
            if self.on_step is not None:
                self.on_step(Step(now, "greeting", "id.in", m.kind, m))
            return False
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
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "preface", "line.in", m.kind, m))
            return False
        return True

    def on_msg(self, m: Any, now: int) -> None:
        """Take `msg` through wire, guess, phase, transport, answer, method, services, login, uppers, opening,
        data, channel_requests, closing; then `pump`.
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
        if kind in ("channel_eof", "channel_close"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._uppers(m, now)
                and self._opening(m, now)
                and self._closing(m, now)
            )
            return
        if kind in ("window_adjust", "channel_data", "channel_extended"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._uppers(m, now)
                and self._opening(m, now)
                and self._data(m, now)
            )
            return
        if kind in ("channel_request", "channel_success", "channel_failure"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._uppers(m, now)
                and self._opening(m, now)
                and self._channel_requests(m, now)
            )
            return
        if kind in ("upper", "global_request", "request_success", "request_failure"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._uppers(m, now)
            )
            return
        if kind in ("chan", "channel_open", "open_confirmation", "open_failure"):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._uppers(m, now)
                and self._opening(m, now)
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
        if (
            kind
            in (
                "userauth_request", "userauth_failure", "userauth_success", "userauth_banner",
                "userauth_method",
            )
        ):
            (
                self._wire(m, now)
                and self._guess(m, now)
                and self._phase(m, now)
                and self._transport(m, now)
                and self._login(m, now)
                and self._uppers(m, now)
            )
            return
        self._wire(m, now) and self._guess(m, now) and self._phase(m, now) and self._transport(m, now)

    def _wire(self, m: Any, now: int) -> bool:
        """Table `wire` (rfc4253:11.1/2)."""
        st = self.kx
        if st == ENDED:
            # [wire.over] rfc4253:11.1/2 MUST_NOT
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.over", m.kind, m))
            return False
        if not self.id_in:  # [wire.early] rfc4253:4.2/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
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
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.length", m.kind, m))
            return False
        # [wire.mac] rfc4253:6.4/1 MUST, rfc4253:7.3/1 MUST, strict:6 MUST
        if not (m.mac_ok and m.number == self.rx_number):
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="mac_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.mac", m.kind, m))
            return False
        # [wire.padding] rfc4253:6/2 MUST, rfc4253:6/8 MUST
        if not (m.padding >= 4 and m.padding + 2 <= m.length):
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.padding", m.kind, m))
            return False
        if not self.keyed_in and self.rx_number == 4294967295:  # [wire.wrap] strict:7 SHOULD
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "wire", "wire.wrap", m.kind, m))
            return False
        # [wire.ok] rfc4253:6/1 MUST, rfc4253:6/6 MUST, rfc4253:6.4/1 MUST
        self.rx_number = (self.rx_number + 1) % 4294967296
        if self.on_step is not None:
            self.on_step(Step(now, "wire", "wire.ok", m.kind, m))
        return True

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
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.service.early", m.kind, m))
                return False
            if self.rk:  # [ph.service.rekey] rfc4253:10/3 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.service.rekey", m.kind, m))
                return False
            # [ph.service] rfc4253:7.1/11 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.service", m.kind, m))
            return True
        if kind in ("exchange", "kexinit", "newkeys", "ecdh_init", "ecdh_reply", "kex_other"):
            # [ph.exchange] rfc4253:11.1/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.exchange", m.kind, m))
            return True
        if kind in ("msg", "generic", "ignore", "debug", "unimplemented", "ext_info", "unknown"):
            if self.strict and not self.keyed_in:  # [ph.strict] strict:5 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.strict", m.kind, m))
                return False
            # [ph.any] rfc4253:11.2/1 MUST, strict:8 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.any", m.kind, m))
            return True
        if (
            kind
            in (
                "upper", "userauth_request", "userauth_failure", "userauth_success", "userauth_banner",
                "userauth_method", "global_request", "request_success", "request_failure",
            )
        ):
            if not self.keyed_in:  # [ph.upper.early] rfc4253:7.1/10 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.upper.early", m.kind, m))
                return False
            if self.rk:  # [ph.upper.rekey] rfc4253:7.1/10 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "phase", "ph.upper.rekey", m.kind, m))
                return False
            # [ph.upper] rfc4253:7.1/11 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.upper", m.kind, m))
            return True
        if not self.keyed_in:  # [ph.chan.early] rfc4253:7.1/10 MUST_NOT
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "phase", "ph.chan.early", m.kind, m))
            return False
        if self.rk:  # [ph.chan.rekey] rfc4253:7.1/10 MUST_NOT
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
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
            if not m.ok:  # [ext.broken] rfc8308:2.5/2 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "transport", "ext.broken", m.kind, m))
                return False
            if not self.keyed_in:  # [ext.early] rfc8308:2.4/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "transport", "ext.early", m.kind, m))
                return False
            # [ext.in] rfc8308:2.4/2 MUST, rfc8308:2.4/3 MUST, rfc8308:2.5/1 MUST
            self.host.tell_extended(m)
            if self.on_step is not None:
                self.on_step(Step(now, "transport", "ext.in", m.kind, m))
            return False
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
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="key_exchange_failed"))
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
            return self._method_kexinit(m, now)
        if kind == "newkeys":
            return self._method_newkeys(m, now)
        if self.strict and not self.keyed_in:  # [kex.strict] strict:5 MUST, strict:9 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "kex.strict", m.kind, m))
            return False
        # [kex.stray] rfc4253:12/1 MUST
        self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "method", "kex.stray", m.kind, m))
        return False

    def _method_kexinit(self, m: Any, now: int) -> bool:
        """Table `method` (rfc4253:7/1)."""
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
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "ki.broken", m.kind, m))
                return False
            if self.rk:  # [ki.second] rfc4253:7.1/12 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "ki.second", m.kind, m))
                return False
            # [ki.in] rfc4253:9/1 MUST, rfc4253:7.1/7 SHOULD, rfc4253:7.1/9 MUST
            self.theirs = m
            self.rk = True
            self.kx = ASKED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "ki.in", m.kind, m))
            return False
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
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "ki.broken", m.kind, m))
                return False
            # [ki.meet] rfc4253:9/1 MUST, rfc4253:7.1/7 SHOULD, rfc4253:5/2 MAY
            self.theirs = m
            self.rk = True
            self.kx = AGREE
            if self.on_step is not None:
                self.on_step(Step(now, "method", "ki.meet", m.kind, m))
            return False
        if st == ENDED:
            if self.strict and not self.keyed_in:  # [kex.strict] strict:5 MUST, strict:9 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "kex.strict", m.kind, m))
                return False
            # [kex.stray] rfc4253:12/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "kex.stray", m.kind, m))
            return False
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
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "ki.broken", m.kind, m))
            return False
        # [ki.busy] rfc4253:7.1/12 MUST_NOT, strict:9 MUST
        self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "method", "ki.busy", m.kind, m))
        return False

    def _method_newkeys(self, m: Any, now: int) -> bool:
        """Table `method` (rfc4253:7/1)."""
        st = self.kx
        if st == QUIET:
            if not self.rk:  # [nk.early] rfc4253:7.3/2 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "nk.early", m.kind, m))
                return False
            if not m.ok:  # [nk.broken] rfc4253:7.3/3 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "nk.broken", m.kind, m))
                return False
            # [nk.in] rfc4253:7.3/1 MUST, strict:6 MUST, rfc4253:9/3 MUST
            self.rk = False
            self.keyed_in = True
            self.rx_number = 0 if self.strict else self.rx_number
            self.host.tell_keyed()
            if self.on_step is not None:
                self.on_step(Step(now, "method", "nk.in", m.kind, m))
            return False
        if st == ENDED:
            if self.strict and not self.keyed_in:  # [kex.strict] strict:5 MUST, strict:9 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "method", "kex.strict", m.kind, m))
                return False
            # [kex.stray] rfc4253:12/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "method", "kex.stray", m.kind, m))
            return False
        # [nk.busy] rfc4253:7.3/2 MUST
        self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "method", "nk.busy", m.kind, m))
        return False

    def _services(self, m: Any, now: int) -> bool:
        """Table `services` (rfc4253:10/2)."""
        kind = m.kind
        if kind == "service_request":
            st = self.sv
            if st == NO_SERVICE:
                # [sv.unknown] rfc4253:10/2 MUST
                if not (m.name == "ssh-userauth" or m.name == "ssh-connection"):
                    self.host.emit_disconnect(
                        Disconnect(number=self.tx_number, reason="service_not_available")
                    )
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "services", "sv.unknown", m.kind, m))
                    return False
                # [sv.ask] rfc4253:10/1 MUST
                self.service_name = m.name
                self.sv = REQUESTED
                if self.on_step is not None:
                    self.on_step(Step(now, "services", "sv.ask", m.kind, m))
                return False
            if not (m.name == "ssh-userauth" or m.name == "ssh-connection"):  # [sv.unknown] rfc4253:10/2 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="service_not_available"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "services", "sv.unknown", m.kind, m))
                return False
            # [sv.again] rfc4253:10/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "services", "sv.again", m.kind, m))
            return False
        # [sv.role] rfc4253:11.4/1 MUST
        self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
        self.kx = ENDED
        if self.on_step is not None:
            self.on_step(Step(now, "services", "sv.role", m.kind, m))
        return False

    def _login(self, m: Any, now: int) -> bool:
        """Table `login` (rfc4253:10/4)."""
        kind = m.kind
        if kind == "userauth_request":
            st = self.au
            if st == STRANGER:
                if self.sv != SERVED:  # [ua.early] rfc4253:10/4 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "login", "ua.early", m.kind, m))
                    return False
                if len(self.attempts) >= 20:  # [ua.many] rfc4252:4/4 SHOULD
                    self.host.emit_disconnect(
                        Disconnect(number=self.tx_number, reason="no_more_auth_methods_available")
                    )
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "login", "ua.many", m.kind, m))
                    return False
                # [ua.in] rfc4252:5.1/4 MUST
                self.attempts = (*self.attempts, (m.user, m.method,))[:20]
                self.host.tell_wants_in(m)
                if self.on_step is not None:
                    self.on_step(Step(now, "login", "ua.in", m.kind, m))
                return False
            if self.sv != SERVED:  # [ua.early] rfc4253:10/4 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "login", "ua.early", m.kind, m))
                return False
            # [ua.after] rfc4252:5.1/6 SHOULD
            if self.on_step is not None:
                self.on_step(Step(now, "login", "ua.after", m.kind, m))
            return False
        if kind == "userauth_failure":
            # [ua.no.role] rfc4252:6/3 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "login", "ua.no.role", m.kind, m))
            return False
        if kind == "userauth_success":
            # [ua.yes.role] rfc4252:6/3 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "login", "ua.yes.role", m.kind, m))
            return False
        if kind == "userauth_banner":
            # [ua.banner.role] rfc4252:6/3 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "login", "ua.banner.role", m.kind, m))
            return False
        if self.sv != SERVED:  # [ua.method.early] rfc4253:10/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "login", "ua.method.early", m.kind, m))
            return False
        # [ua.method] rfc4252:5/5 MUST
        self.host.tell_proves(m)
        if self.on_step is not None:
            self.on_step(Step(now, "login", "ua.method", m.kind, m))
        return False

    def _uppers(self, m: Any, now: int) -> bool:
        """Table `uppers` (rfc4253:10/4)."""
        kind = m.kind
        if kind == "global_request":
            if self.au != USER:  # [gr.early] rfc4253:10/4 MUST, rfc4252:6/1 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "gr.early", m.kind, m))
                return False
            if m.want_reply:  # [gr.in] rfc4254:4/1 MUST, openssh:keepalive MUST
                self.requests += 1
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "gr.in", m.kind, m))
                return False
            # [gr.quiet] rfc4254:4/1 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "uppers", "gr.quiet", m.kind, m))
            return False
        if (
            kind
            in (
                "upper", "userauth_request", "userauth_failure", "userauth_success", "userauth_banner",
                "userauth_method", "request_success", "request_failure",
            )
        ):
            if self.au != USER:  # [up.early] rfc4253:10/4 MUST, rfc4252:6/1 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "uppers", "up.early", m.kind, m))
                return False
            # [gr.reply] rfc4254:4/3 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "uppers", "gr.reply", m.kind, m))
            return False
        if self.au != USER:  # [chan.early] rfc4253:10/4 MUST, rfc4252:6/1 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "uppers", "chan.early", m.kind, m))
            return False
        # [chan.in] rfc4254:5.1/3 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "uppers", "chan.in", m.kind, m))
        return True

    def _opening(self, m: Any, now: int) -> bool:
        """Table `opening` (rfc4254:5.1/3)."""
        chan_of = self._chan_of_of(m.key)
        kind = m.kind
        if kind == "channel_open":
            st = chan_of.ch
            if st == FREE:
                if self.chan_of.count >= 1024:  # [open.many] rfc4254:5.1/1 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="by_application"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "opening", "open.many", m.kind, m))
                    return False
                # [open.in] rfc4254:5.1/1 MUST, rfc4254:5.1/3 MUST
                self._do_opened_by(chan_of, m)
                chan_of.ch = OPENING
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "opening", "open.in", m.kind, m))
                return False
            if st in _TAKEN:
                # [open.taken] rfc4254:5.1/3 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "opening", "open.taken", m.kind, m))
                return False
            return True
        if kind == "open_confirmation":
            st = chan_of.ch
            if st == ASKING:
                # [ok.in] rfc4254:5.1/1 MUST
                chan_of.peer_id = m.sender
                chan_of.tx_window = m.window
                chan_of.tx_packet = m.packet
                self.host.tell_opened(chan_of.key)
                chan_of.ch = LIVE
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "opening", "ok.in", m.kind, m))
                return False
            if st in _NOT_ASKING_NOR_GONE:
                # [ok.odd] rfc4254:5.1/5 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "opening", "ok.odd", m.kind, m))
                return False
            return True
        if kind == "open_failure":
            st = chan_of.ch
            if st == ASKING:
                # [fail.in] rfc4254:5.1/1 MUST
                self.host.tell_refused(chan_of.key, m.reason)
                chan_of.ch = GONE
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "opening", "fail.in", m.kind, m))
                return False
            if st in _NOT_ASKING_NOR_GONE:
                # [fail.odd] rfc4254:5.1/5 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "opening", "fail.odd", m.kind, m))
                return False
            return True
        st = chan_of.ch
        if st == LIVE:
            # [chan.live] rfc4254:5.1/3 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "opening", "chan.live", m.kind, m))
            return True
        if st in _NOT_LIVE_NOR_GONE:
            # [chan.none] rfc4254:5.1/4 MUST
            self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
            self.kx = ENDED
            if self.on_step is not None:
                self.on_step(Step(now, "opening", "chan.none", m.kind, m))
            return False
        return True

    def _data(self, m: Any, now: int) -> bool:
        """Table `data` (rfc4254:5.2/2)."""
        chan_of = self._chan_of_of(m.key)
        kind = m.kind
        if kind == "window_adjust":
            st = chan_of.ch
            if st == LIVE:
                if chan_of.tx_window + m.add > 4294967295:  # [adjust.over] rfc4254:5.2/2 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "data", "adjust.over", m.kind, m))
                    return False
                # [adjust.in] rfc4254:5.2/2 MUST, rfc4254:5.2/3 MUST
                chan_of.tx_window += m.add
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "data", "adjust.in", m.kind, m))
                return False
            return True
        if kind == "channel_data":
            st = chan_of.ch
            if st == LIVE:
                if not (not chan_of.eof_in and not chan_of.close_in):  # [data.late] rfc4254:5.3/2 MUST_NOT
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "data", "data.late", m.kind, m))
                    return False
                # [data.over] rfc4254:5.2/1 MUST_NOT
                if (m.len > chan_of.rx_window or m.len > chan_of.rx_packet):
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "data", "data.over", m.kind, m))
                    return False
                # [data.in] rfc4254:5.3/6 SHOULD
                chan_of.rx_window -= m.len
                self.host.tell_data_in(chan_of.key, m.content)
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "data", "data.in", m.kind, m))
                return False
            return True
        st = chan_of.ch
        if st == LIVE:
            if not (not chan_of.eof_in and not chan_of.close_in):  # [ext.data.late] rfc4254:5.3/2 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "data", "ext.data.late", m.kind, m))
                return False
            # [ext.data.over] rfc4254:5.2/1 MUST_NOT
            if (m.len > chan_of.rx_window or m.len > chan_of.rx_packet):
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "data", "ext.data.over", m.kind, m))
                return False
            # [ext.data.in] rfc4254:5.2/5 MUST, rfc4254:5.3/6 SHOULD
            chan_of.rx_window -= m.len
            self.host.tell_extended_in(chan_of.key, m.code, m.content)
            self._settle_chan_of(chan_of, now)
            if self.on_step is not None:
                self.on_step(Step(now, "data", "ext.data.in", m.kind, m))
            return False
        return True

    def _channel_requests(self, m: Any, now: int) -> bool:
        """Table `channel_requests` (rfc4254:5.4/1)."""
        chan_of = self._chan_of_of(m.key)
        kind = m.kind
        if kind == "channel_request":
            st = chan_of.ch
            if st == LIVE:
                # [req.quiet] rfc4254:5.4/1 MUST, rfc4254:6.7/1 SHOULD_NOT
                if (not m.want_reply or chan_of.close_in):
                    self.host.tell_requested(chan_of.key, m)
                    if self.on_step is not None:
                        self.on_step(Step(now, "channel_requests", "req.quiet", m.kind, m))
                    return False
                if len(chan_of.replies) >= 64:  # [req.many] rfc4254:5.4/3 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="by_application"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "channel_requests", "req.many", m.kind, m))
                    return False
                # [req.in] rfc4254:5.4/2 MUST, rfc4254:5.4/3 MUST, rfc4254:6.2/1 SHOULD, rfc4254:6.5/3 SHOULD
                chan_of.replies = (*chan_of.replies, (m.request,))[:64]
                self.host.tell_requested(chan_of.key, m)
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "channel_requests", "req.in", m.kind, m))
                return False
            return True
        if kind == "channel_success":
            st = chan_of.ch
            if st == LIVE:
                if chan_of.asked == 0:  # [yes.odd] rfc4254:5.4/3 MUST
                    self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                    self.kx = ENDED
                    if self.on_step is not None:
                        self.on_step(Step(now, "channel_requests", "yes.odd", m.kind, m))
                    return False
                # [yes.in] rfc4254:5.4/3 MUST
                chan_of.asked -= 1
                self.host.tell_answered(chan_of.key, True)
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "channel_requests", "yes.in", m.kind, m))
                return False
            return True
        st = chan_of.ch
        if st == LIVE:
            if chan_of.asked == 0:  # [no.odd] rfc4254:5.4/3 MUST
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "channel_requests", "no.odd", m.kind, m))
                return False
            # [no.in] rfc4254:5.4/3 MUST
            chan_of.asked -= 1
            self.host.tell_answered(chan_of.key, False)
            self._settle_chan_of(chan_of, now)
            if self.on_step is not None:
                self.on_step(Step(now, "channel_requests", "no.in", m.kind, m))
            return False
        return True

    def _closing(self, m: Any, now: int) -> bool:
        """Table `closing` (rfc4254:5.3/1)."""
        chan_of = self._chan_of_of(m.key)
        kind = m.kind
        if kind == "channel_eof":
            st = chan_of.ch
            if st == LIVE:
                # [eof.in] rfc4254:5.3/1 SHOULD, rfc4254:5.3/5 MAY
                chan_of.eof_in = True
                self.host.tell_ended(chan_of.key)
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "closing", "eof.in", m.kind, m))
                return False
            return True
        st = chan_of.ch
        if st == LIVE:
            if chan_of.close_out:  # [close.met] rfc4254:5.3/3 MUST
                self.host.tell_closed(chan_of.key)
                chan_of.ch = GONE
                self._settle_chan_of(chan_of, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "closing", "close.met", m.kind, m))
                return False
            if chan_of.close_in:  # [close.twice] rfc4254:5.3/4 MUST_NOT
                self.host.emit_disconnect(Disconnect(number=self.tx_number, reason="protocol_error"))
                self.kx = ENDED
                if self.on_step is not None:
                    self.on_step(Step(now, "closing", "close.twice", m.kind, m))
                return False
            # [close.in] rfc4254:5.3/3 MUST, rfc4254:5.3/5 MAY
            chan_of.close_in = True
            self._settle_chan_of(chan_of, now)
            if self.on_step is not None:
                self.on_step(Step(now, "closing", "close.in", m.kind, m))
            return False
        return True

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

    def call_open(self, key_: int, now: int) -> str | None:
        """The user's call `open`; the code of a refusal, or None."""
        chan_of = self._chan_of_of(key_)
        if (chan_of.dialled or chan_of.ch != FREE):  # [call.busy] rfc4254:5.1/3 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "channel_calls", "call.busy", "open", None))
            return "busy"
        # [call.open] rfc4254:5.1/1 MUST
        chan_of.dialled = True
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "channel_calls", "call.open", "open", None))
        return None

    def call_feed(self, key_: int, count: int, now: int) -> str | None:
        """The user's call `feed`; the code of a refusal, or None."""
        chan_of = self._chan_of_of(key_)
        # [call.feed] rfc4254:5.2/1 MUST_NOT
        chan_of.pending += count
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "channel_calls", "call.feed", "feed", None))
        return None

    def call_request(self, key_: int, now: int) -> str | None:
        """The user's call `request`; the code of a refusal, or None."""
        chan_of = self._chan_of_of(key_)
        # [call.request] rfc4254:5.4/3 MUST
        chan_of.to_ask += 1
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "channel_calls", "call.request", "request", None))
        return None

    def call_end(self, key_: int, now: int) -> str | None:
        """The user's call `end`; the code of a refusal, or None."""
        chan_of = self._chan_of_of(key_)
        # [call.end] rfc4254:5.3/1 SHOULD
        chan_of.ending = True
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "channel_calls", "call.end", "end", None))
        return None

    def call_hang_up(self, key_: int, now: int) -> str | None:
        """The user's call `hang_up`; the code of a refusal, or None."""
        chan_of = self._chan_of_of(key_)
        # [call.hang.up] rfc4254:5.3/3 MUST
        chan_of.hanging = True
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "channel_calls", "call.hang.up", "hang_up", None))
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
        for _ in range(OUTPUTS_PER_PUMP * (1 + len(self.chan_of.by_key))):
            st = self.kx
            if st == GREET:
                if self._pump_greet(now):
                    continue
                return
            if st == QUIET:
                if self._pump_quiet(now):
                    continue
                return
            if st == ASKED:
                if self._pump_asked(now):
                    continue
                return
            if st == AGREE:
                if self._pump_agree(now):
                    continue
                return
            if st == SPEAK:
                if self._pump_speak(now):
                    continue
                return
            if st == KEYS:
                if self._pump_keys(now):
                    continue
                return
            if st == ENDED:
                if self._pump_ended(now):
                    continue
                return
            if self._pump_mine(now):
                continue
            return
        raise EndlessOutputError("ssh.transport.server", self.kx)

    def _pump_greet(self, now: int) -> bool:
        return (
            self._out_id_out(now)
            or self._out_bye_out(now)
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_quiet(self, now: int) -> bool:
        return (
            self._out_ki_first(now)
            or self._out_ext_out(now)
            or self._out_bye_out(now)
            or self._out_ki_again(now)
            or (self.sv == REQUESTED and self._out_sv_out(now))
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._out_gr_fail(now)
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_asked(self, now: int) -> bool:
        return (
            self._out_ki_answer(now)
            or self._out_bye_out(now)
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_agree(self, now: int) -> bool:
        return (
            self._out_kx_late(now)
            or self._out_kx_none(now)
            or self._out_kx_agreed(now)
            or self._out_bye_out(now)
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_speak(self, now: int) -> bool:
        return (
            self._out_dh_out(now)
            or self._out_bye_out(now)
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_keys(self, now: int) -> bool:
        return (
            self._out_nk_out(now)
            or self._out_bye_out(now)
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_ended(self, now: int) -> bool:
        return (
            (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )

    def _pump_mine(self, now: int) -> bool:
        return (
            self._out_bye_out(now)
            or (self.au == STRANGER and self._out_ua_yes(now))
            or (self.au == STRANGER and self._out_ua_no(now))
            or self._each_ok_out(now)
            or self._each_fail_out(now)
            or self._each_fail_type(now)
            or self._each_yes_out(now)
            or self._each_no_out(now)
            or self._each_adjust_out(now)
            or self._each_close_out(now)
            or self._each_open_out(now)
            or self._each_req_out(now)
            or self._each_data_out(now)
            or self._each_eof_out(now)
            or self._each_close_own(now)
        )


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
        if self.keyed_out:
            return False
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
        if not (
            not self.keyed_out
            and "kex-strict-c-v00@openssh.com" in (self.theirs.kex or ())
            and "kex-strict-s-v00@openssh.com" in (self.mine.kex or ())
            and self.rx_number != 1
        ):
            return False
        o = Disconnect(number=self.tx_number, reason="protocol_error")
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
        if not (
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
        ):
            return False
        o = Disconnect(number=self.tx_number, reason="key_exchange_failed")
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
        if not (
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
        ):
            return False
        self._do_agree()
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
        if not (self.ext_turn and self.ext_known):
            return False
        if not (self.keyed_out or not self.strict):  # [o.strict] strict:5 MUST
            return False
        made = self.host.ask_own_extensions()
        o = ExtInfo(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
        )
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_ext_info(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ext.out", "ext_info", o))
        return True

    def _out_bye_out(self, now: int) -> bool:
        """[bye.out] rfc4253:11.1/1 MUST."""
        if not self.closing:
            return False
        o = Disconnect(number=self.tx_number, reason="by_application")
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
        if not (
            self.keyed_out
            and self.keyed_in
            and not self.rk
            and (self.want_rekey or self.aged or self.sent_packets >= REKEY_PACKETS)
        ):
            return False
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
        if not (self.keyed_out and self.kx == QUIET):
            return False
        o = ServiceAccept(number=self.tx_number, name=self.service_name)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_service_accept(o)
        self.sv = SERVED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "sv.out", "service_accept", o))
        return True

    def _out_ua_yes(self, now: int) -> bool:
        """[ua.yes] rfc4252:5.1/5 MUST, rfc4252:5.1/4 MUST."""
        if not (
            len(self.attempts) != 0
            and self.host.ask_admits(
                (self.attempts[0][0] if self.attempts else None),
                (self.attempts[0][1] if self.attempts else None),
            )
        ):
            return False
        if not (self.keyed_out and self.kx == QUIET):  # [o.upper] rfc4253:7.1/10 MUST_NOT, rfc4253:9/6 MUST
            return False
        o = UserauthSuccess(number=self.tx_number)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.attempts = self.attempts[1:]
        self.host.emit_userauth_success(o)
        self.au = USER
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ua.yes", "userauth_success", o))
        return True

    def _out_ua_no(self, now: int) -> bool:
        """[ua.no] rfc4252:5.1/1 MUST, rfc4252:5.1/4 MUST, rfc4252:4/1 MUST_NOT."""
        if not (
            len(self.attempts) != 0
            and not self.host.ask_admits(
                (self.attempts[0][0] if self.attempts else None),
                (self.attempts[0][1] if self.attempts else None),
            )
        ):
            return False
        if not (self.keyed_out and self.kx == QUIET):  # [o.upper] rfc4253:7.1/10 MUST_NOT, rfc4253:9/6 MUST
            return False
        o = UserauthFailure(number=self.tx_number, methods=self.host.ask_ways_in())
        if "none" in (o.methods or ()):
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.attempts = self.attempts[1:]
        self.host.emit_userauth_failure(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ua.no", "userauth_failure", o))
        return True

    def _out_gr_fail(self, now: int) -> bool:
        """[gr.fail] rfc4254:4/1 MUST, rfc4254:4/2 MUST."""
        if not (self.requests > 0 and self.keyed_out):
            return False
        o = RequestFailure(number=self.tx_number)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.requests -= 1
        self.host.emit_request_failure(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "gr.fail", "request_failure", o))
        return True

    def _each_ok_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[0].values():
            if self.host.ask_takes(chan_of.wanted) and self._out_ok_out(chan_of, now):
                return True
        return False

    def _out_ok_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[ok.out] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = OpenConfirmation(
            number=self.tx_number,
            key=chan_of.peer_id,
            sender=chan_of.key,
            window=2097152,
            packet=32768,
        )
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.rx_window = o.window
        chan_of.rx_packet = o.packet
        self.host.tell_opened(chan_of.key)
        self.host.emit_open_confirmation(o)
        chan_of.ch = LIVE
        self.chan_of.lines[0].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ok.out", "open_confirmation", o))
        return True

    def _each_fail_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[1].values():
            if not self.host.ask_takes(chan_of.wanted) and self._out_fail_out(chan_of, now):
                return True
        return False

    def _out_fail_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[fail.out] rfc4254:5.1/1 MUST, rfc4254:6.1/1 SHOULD."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = OpenFailure(number=self.tx_number, key=chan_of.peer_id, reason="administratively_prohibited")
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_open_failure(o)
        chan_of.ch = GONE
        self.chan_of.lines[1].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "fail.out", "open_failure", o))
        return True

    def _each_fail_type(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[2].values():
            if self._out_fail_type(chan_of, now):
                return True
        return False

    def _out_fail_type(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[fail.type] rfc4254:5.1/2 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = OpenFailure(number=self.tx_number, key=chan_of.peer_id, reason="unknown_channel_type")
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.emit_open_failure(o)
        chan_of.ch = GONE
        self.chan_of.lines[2].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "fail.type", "open_failure", o))
        return True

    def _each_yes_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[3].values():
            if (
                len(chan_of.replies) != 0
                and (chan_of.replies[0][0] if chan_of.replies else None) != ""
                and self.host.ask_grants(chan_of.key, (chan_of.replies[0][0] if chan_of.replies else None))
                and self._out_yes_out(chan_of, now)
            ):
                return True
        return False

    def _out_yes_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[yes.out] rfc4254:5.4/2 MUST, rfc4254:5.4/3 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelSuccess(number=self.tx_number, key=chan_of.peer_id)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.replies = chan_of.replies[1:]
        self.host.emit_channel_success(o)
        self.chan_of.lines[3].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "yes.out", "channel_success", o))
        return True

    def _each_no_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[4].values():
            if (
                len(chan_of.replies) != 0
                and (
                    (chan_of.replies[0][0] if chan_of.replies else None) == ""
                    or not self.host.ask_grants(
                        chan_of.key,
                        (chan_of.replies[0][0] if chan_of.replies else None),
                    )
                )
                and self._out_no_out(chan_of, now)
            ):
                return True
        return False

    def _out_no_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[no.out] rfc4254:5.4/2 MUST, rfc4254:5.4/3 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelFailure(number=self.tx_number, key=chan_of.peer_id)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.replies = chan_of.replies[1:]
        self.host.emit_channel_failure(o)
        self.chan_of.lines[4].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "no.out", "channel_failure", o))
        return True

    def _each_adjust_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[5].values():
            if self._out_adjust_out(chan_of, now):
                return True
        return False

    def _out_adjust_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[adjust.out] rfc4254:5.2/6 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = WindowAdjust(number=self.tx_number, key=chan_of.peer_id, add=2097152 - chan_of.rx_window)
        if not (o.add > 0 and chan_of.rx_window + o.add <= 4294967295):
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.rx_window += o.add
        self.host.emit_window_adjust(o)
        self.chan_of.lines[5].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "adjust.out", "window_adjust", o))
        return True

    def _each_close_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[6].values():
            if len(chan_of.replies) == 0 and self._out_close_out(chan_of, now):
                return True
        return False

    def _out_close_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[close.out] rfc4254:5.3/3 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelClose(number=self.tx_number, key=chan_of.peer_id)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        self.host.tell_closed(chan_of.key)
        self.host.emit_channel_close(o)
        chan_of.ch = GONE
        self.chan_of.lines[6].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "close.out", "channel_close", o))
        return True

    def _each_open_out(self, now: int) -> bool:
        if self.au != USER:
            return False
        for chan_of in self.chan_of.lines[7].values():
            if self._out_open_out(chan_of, now):
                return True
        return False

    def _out_open_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[open.out] rfc4254:5.1/1 MUST, rfc4254:5.2/4 MUST_NOT."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelOpen(
            number=self.tx_number,
            key=chan_of.key,
            sender=chan_of.key,
            window=2097152,
            packet=32768,
            channel_type="session",
        )
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.rx_window = o.window
        chan_of.rx_packet = o.packet
        chan_of.dialled = False
        self.host.emit_channel_open(o)
        chan_of.ch = ASKING
        self.chan_of.lines[7].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "open.out", "channel_open", o))
        return True

    def _each_req_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[8].values():
            if self._out_req_out(chan_of, now):
                return True
        return False

    def _out_req_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[req.out] rfc4254:5.4/3 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        made = self.host.ask_next_request(chan_of.key)
        o = ChannelRequest(
            number=self.tx_number,
            length=made.length,
            padding=made.padding,
            framed=made.framed,
            block=made.block,
            key=chan_of.peer_id,
            want_reply=made.want_reply,
            request=made.request,
            content=made.content,
        )
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.to_ask -= 1
        chan_of.asked += o.want_reply
        self.host.emit_channel_request(o)
        self.chan_of.lines[8].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "req.out", "channel_request", o))
        return True

    def _each_data_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[9].values():
            if self._out_data_out(chan_of, now):
                return True
        return False

    def _out_data_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[data.out] rfc4254:5.2/1 MUST_NOT."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelData(
            number=self.tx_number,
            key=chan_of.peer_id,
            len=min(chan_of.pending, min(chan_of.tx_window, chan_of.tx_packet)),
            content=self.host.ask_piece(
                chan_of.key,
                min(chan_of.pending, min(chan_of.tx_window, chan_of.tx_packet)),
            ),
        )
        if not (o.len > 0 and o.len <= chan_of.tx_window and o.len <= chan_of.tx_packet):
            return False
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.tx_window -= o.len
        chan_of.pending -= o.len
        self.host.emit_channel_data(o)
        self.chan_of.lines[9].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "data.out", "channel_data", o))
        return True

    def _each_eof_out(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[10].values():
            if self._out_eof_out(chan_of, now):
                return True
        return False

    def _out_eof_out(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[eof.out] rfc4254:5.3/1 SHOULD."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelEof(number=self.tx_number, key=chan_of.peer_id)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.eof_out = True
        self.host.emit_channel_eof(o)
        self.chan_of.lines[10].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "eof.out", "channel_eof", o))
        return True

    def _each_close_own(self, now: int) -> bool:
        for chan_of in self.chan_of.lines[11].values():
            if self._out_close_own(chan_of, now):
                return True
        return False

    def _out_close_own(self, chan_of: SshTransportServerChanOf, now: int) -> bool:
        """[close.own] rfc4254:5.3/3 MUST."""
        if not (self.keyed_out and self.kx == QUIET):  # [o.chan] rfc4253:7.1/10 MUST_NOT
            return False
        o = ChannelClose(number=self.tx_number, key=chan_of.peer_id)
        self.tx_number = (self.tx_number + 1) % 4294967296
        self.sent_packets += 1
        self.ext_turn = False
        chan_of.close_out = True
        self.host.emit_channel_close(o)
        self.chan_of.lines[11].pop(chan_of.key, None)
        self._settle_chan_of(chan_of, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "close.own", "channel_close", o))
        return True

    def _settle_chan_of(self, chan_of: SshTransportServerChanOf, now: int) -> None:
        """Keep the instance unless it is as instances begin or has ended; line it up for the rows that it may
        fire.
        """
        if (
            chan_of.ch == GONE
            or (
                chan_of.ch == FREE
                and chan_of.peer_id == 0
                and chan_of.tx_window == 0
                and chan_of.tx_packet == 0
                and chan_of.rx_window == 0
                and chan_of.rx_packet == 0
                and not chan_of.eof_in
                and not chan_of.eof_out
                and not chan_of.close_in
                and not chan_of.close_out
                and chan_of.asked == 0
                and chan_of.wanted is None
                and not chan_of.dialled
                and not chan_of.ending
                and not chan_of.hanging
                and chan_of.pending == 0
                and chan_of.to_ask == 0
                and chan_of.replies == ()
            )
        ):
            self.chan_of.forget(chan_of)
            return
        self.chan_of.keep(
            chan_of,
            not (
                chan_of.ch == FREE
                and chan_of.peer_id == 0
                and chan_of.tx_window == 0
                and chan_of.tx_packet == 0
                and chan_of.rx_window == 0
                and chan_of.rx_packet == 0
                and not chan_of.eof_in
                and not chan_of.eof_out
                and not chan_of.close_in
                and not chan_of.close_out
                and chan_of.asked == 0
                and chan_of.wanted is None
                and chan_of.replies == ()
            ),
        )
        self.chan_of.line_up(0, chan_of, chan_of.ch == OPENING and chan_of.wanted == "session")
        self.chan_of.line_up(1, chan_of, chan_of.ch == OPENING and chan_of.wanted == "session")
        self.chan_of.line_up(2, chan_of, chan_of.ch == OPENING and chan_of.wanted != "session")
        self.chan_of.line_up(3, chan_of, chan_of.ch == LIVE and not chan_of.close_out)
        self.chan_of.line_up(4, chan_of, chan_of.ch == LIVE and not chan_of.close_out)
        self.chan_of.line_up(
            5,
            chan_of,
            (
                chan_of.ch == LIVE
                and chan_of.rx_window < 1048576
                and not chan_of.eof_in
                and not chan_of.close_in
                and not chan_of.close_out
            ),
        )
        self.chan_of.line_up(6, chan_of, chan_of.ch == LIVE and chan_of.close_in and not chan_of.close_out)
        self.chan_of.line_up(7, chan_of, chan_of.ch == FREE and chan_of.dialled)
        self.chan_of.line_up(8, chan_of, chan_of.ch == LIVE and not chan_of.close_out and chan_of.to_ask > 0)
        self.chan_of.line_up(
            9,
            chan_of,
            (
                chan_of.ch == LIVE
                and chan_of.tx_window > 0
                and chan_of.tx_packet > 0
                and not chan_of.eof_out
                and not chan_of.close_out
                and chan_of.pending > 0
            ),
        )
        self.chan_of.line_up(
            10,
            chan_of,
            (
                chan_of.ch == LIVE
                and not chan_of.eof_out
                and not chan_of.close_out
                and chan_of.ending
                and chan_of.pending == 0
            ),
        )
        self.chan_of.line_up(
            11,
            chan_of,
            chan_of.ch == LIVE and not chan_of.close_in and not chan_of.close_out and chan_of.hanging,
        )

    def _do_agree(self) -> None:
        """`agree` of the law."""
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

    def _do_opened_by(self, chan_of: Any, m: Any) -> None:
        """`opened_by` of the law."""
        chan_of.peer_id = m.sender
        chan_of.tx_window = m.window
        chan_of.tx_packet = m.packet
        chan_of.wanted = m.channel_type

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
        self.rx_packet: int = 0
        self.eof_in: bool = False
        self.eof_out: bool = False
        self.close_in: bool = False
        self.close_out: bool = False
        self.asked: int = 0
        self.wanted: Any = None
        self.dialled: bool = False
        self.ending: bool = False
        self.hanging: bool = False
        self.pending: int = 0
        self.to_ask: int = 0
        self.replies: tuple[tuple[Any, ...], ...] = ()
        self.serial = 0
        self.counted = False
