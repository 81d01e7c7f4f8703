"""An SSH client without sockets: octets in, octets out, around the generated machine (spec/ssh/client.law).

This file splits octets into lines and packets, applies keys, and states facts. What a message means, when it is due, what ends the
connection and what is said next stands in the law; nothing here looks at a state but to know that all is over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from wirelaw.impl.generated import ssh_transport_client as law
from wirelaw.impl.runtime.entropy import Entropy, SystemEntropy
from wirelaw.impl.runtime.machine import Step
from wirelaw.impl.ssh import messages
from wirelaw.impl.ssh.codec import DecodeError, Reader, boolean, string
from wirelaw.impl.ssh.keys import ED25519, Agreement, Credential, Exchange, Password, is_known, is_signed
from wirelaw.impl.ssh.packets import CIPHERS, LONGEST, Clear, PacketCipher, framed, packet

_LONGEST_LINE: Final = 8192

Watcher = Callable[[bool, Any], None]
"""Is told of each message as the tables see it; the first argument is whether we sent it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client proposes."""

    ciphers: tuple[str, ...] = tuple(CIPHERS)
    strict: bool = True
    entropy: Entropy = field(default_factory=SystemEntropy)

    def lists(self, first: bool) -> dict[str, tuple[str, ...]]:
        """The name-lists of a KEXINIT; markers stand in the first one."""
        strict = ("kex-strict-c-v00@openssh.com",) if self.strict else ()
        markers = ("ext-info-c", *strict) if first else ()
        macs = ("hmac-sha2-256",)  # the ciphers seal by themselves, but no list may be empty
        return {
            "kex": ("curve25519-sha256", "curve25519-sha256@libssh.org", *markers), "host_keys": (ED25519,),
            "enc_cs": self.ciphers, "enc_sc": self.ciphers, "mac_cs": macs, "mac_sc": macs,
            "comp_cs": ("none",), "comp_sc": ("none",), "lang_cs": (), "lang_sc": (),
        }  # fmt: skip


@dataclass(slots=True)
class Program:
    """A program that runs at the other end, on a channel of its own.

    `output` and `errors` are what it wrote so far; `status` is its exit status once it is known. `accepted` is None until the server
    says whether it runs the program; `over` says that nothing more will come.
    """

    command: str
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    status: int | None = None
    accepted: bool | None = None
    over: bool = False


class SshClient:
    """One connection as `user`, to a server that shows one of `host_keys` (as `host_key` reads them; without one there is no connection).

    The caller carries octets: what `take_output` returns to the peer, what the peer sends to `receive`, and `transport_ended` once
    nothing more will come. `now` is microseconds of a clock; at `deadline` the caller calls `tick`. `credentials` are tried in order.
    `logged_in`, `rejected` (all credentials were refused), `disconnected` (the peer's reason), `refusal` (ours) say how things stand.
    """

    def __init__(
        self, user: str, host_keys: Collection[bytes], credentials: Sequence[Credential], offer: Offer | None = None, now: int = 0,
        watch: Watcher | None = None, on_step: Callable[[Step], None] | None = None,
    ) -> None:  # fmt: skip
        self.user = user
        self.logged_in = self.rejected = False
        self.disconnected = self.refusal = ""
        self._host_keys, self._credentials, self._offer = host_keys, list(credentials), offer or Offer()
        self._watch = watch or (lambda _sent, _message: None)
        self._inbox, self._outbox = bytearray(), bytearray()
        self._expected: int | None = None
        self._opener: PacketCipher = Clear()
        self._sealer: PacketCipher = Clear()
        self._agreement: Agreement | None = None
        self._exchange: Exchange | None = None
        self._programs: dict[int, Program] = {}
        self._input: dict[int, bytearray] = {}
        self._unwanted: list[int] = []
        self._cut = False
        self._machine = law.SshTransportClient(self, on_step)
        self._machine.call_log_in(len(self._credentials), now)
        self._machine.pump(now)

    # --- for the caller ----------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the connection has come to its end: the transport may be closed."""
        return self._cut or self._machine.kx == law.ENDED

    def receive(self, data: bytes, now: int = 0) -> None:
        """Take octets from the peer."""
        self._inbox += data
        while not self.over and self._next(now):
            pass

    def transport_ended(self, now: int = 0) -> None:
        """The transport says that no more octets will come."""
        self._cut = True
        for program in self._programs.values():
            program.over = True

    def run(self, command: str, data: bytes = b"", now: int = 0) -> Program:
        """Run `command` at the other end, with `data` as its input, once logged in."""
        key = next(k for k in range(len(self._programs) + 1) if k not in self._programs)
        program = self._programs[key] = Program(command)
        self._input[key] = bytearray(data)
        self._machine.call_open(key, now)
        self._machine.call_request(key, now)
        self._machine.call_feed(key, len(data), now)
        self._machine.call_end(key, now)
        self._machine.pump(now)
        return program

    def update_keys(self, now: int = 0) -> None:
        """Ask for new keys."""
        self._machine.call_rekey(now)
        self._machine.pump(now)

    def close(self, now: int = 0) -> None:
        """Say that we are leaving."""
        self._machine.call_close(now)
        self._machine.pump(now)

    def tick(self, now: int) -> None:
        """Do what time has made due."""
        self._machine.tick(now)
        self._machine.pump(now)

    def deadline(self) -> int | None:
        """When `tick` is to be called next."""
        return self._machine.deadline()

    def take_output(self) -> bytes:
        """Octets for the peer, since the last call."""
        taken = bytes(self._outbox)
        self._outbox.clear()
        return taken

    # --- lines and packets in (RFC 4253 sections 4.2 and 6) ---------------------------------------------------------------------

    def _next(self, now: int) -> bool:
        """Take one line or packet from the inbox; whether there was one."""
        message = self._packet() if self._machine.id_in else self._line()
        if message is None:
            return False
        self._watch(False, message)
        (self._machine.on_line if isinstance(message, law.Line) else self._machine.on_msg)(message, now)
        while self._unwanted:
            self._machine.call_hang_up(self._unwanted.pop(), now)
        self._machine.tick(now)
        self._machine.pump(now)
        return True

    def _line(self) -> law.Line | None:
        end = self._inbox.find(b"\n")
        if end < 0:
            return law.TextLine(length=len(self._inbox)) if len(self._inbox) > _LONGEST_LINE else None
        line = bytes(self._inbox[:end]).removesuffix(b"\r")
        del self._inbox[: end + 1]
        if line.startswith(b"SSH-"):
            return law.Identification(length=end + 1, raw=line, version=line.split(b"-")[1].decode("latin-1"))
        return law.TextLine(length=end + 1, raw=line)

    def _packet(self) -> law.Msg | None:
        cipher, number = self._opener, self._machine.rx_number
        if len(self._inbox) < 4:
            return None
        if self._expected is None:
            self._expected = cipher.length(number, bytes(self._inbox[:4]))
        length = self._expected
        facts: dict[str, Any] = {"number": number, "length": length, "framed": framed(cipher, length), "block": cipher.block}
        if length > LONGEST or length < 5:  # the tables refuse it; its octets are not waited for
            return law.Unknown(**facts)
        size = 4 + length + cipher.tag
        if len(self._inbox) < size:
            return None
        sealed = bytes(self._inbox[:size])
        del self._inbox[:size]
        self._expected = None
        opened = cipher.open(number, sealed)
        if opened is None:
            return law.Unknown(**facts, mac_ok=False)
        payload = opened[5 : max(5, 4 + length - opened[4])]
        return self._with_facts(messages.parse(payload, {**facts, "padding": opened[4]}))

    # --- facts that take keys -------------------------------------------------------------------------------------------------

    def _with_facts(self, message: law.Msg) -> law.Msg:
        agreement, machine = self._agreement, self._machine
        if not isinstance(message, law.EcdhReply) or not message.ok or agreement is None:
            return message
        self._agreement = None  # a private key serves one exchange
        parts = messages.ecdh_parts(message.raw)
        hashed = (machine.own_name, machine.peer_name, machine.mine.raw, machine.theirs.raw)
        trusted = is_known(parts.host_key, self._host_keys)
        exchange = agreement.finish(hashed, parts.host_key, parts.public)
        if exchange is None:
            return replace(message, trusted=trusted)
        self._exchange = exchange
        signed = is_signed(parts.host_key, parts.signature, exchange.digest)
        return replace(message, trusted=trusted, secret_ok=True, signed=signed, hash=exchange.digest)

    def _cipher(self, name: str, to_server: bool) -> PacketCipher:
        assert self._exchange is not None
        return self._exchange.cipher(name, self._machine.session, to_server)

    def tell_keyed(self) -> None:
        self._opener = self._cipher(self._machine.cipher_sc, to_server=False)

    # --- packets out ------------------------------------------------------------------------------------------------------------

    def _send(self, o: Any) -> None:
        made = packet(self._sealer, messages.built(o), self._offer.entropy)
        length = int.from_bytes(made[:4], "big")
        shape = {"length": length, "padding": made[4], "block": self._sealer.block, "framed": framed(self._sealer, length)}
        self._watch(True, replace(o, **shape))
        self._outbox += self._sealer.seal(o.number, made)

    def emit_identification(self, o: law.Identification) -> None:
        self._watch(True, o)
        self._outbox += o.raw + b"\r\n"

    def emit_newkeys(self, o: law.Newkeys) -> None:
        self._send(o)
        self._sealer = self._cipher(self._machine.cipher_cs, to_server=True)

    def emit_disconnect(self, o: law.Disconnect) -> None:
        self.refusal = o.reason
        self._send(o)

    emit_ignore = emit_debug = emit_unimplemented = emit_ext_info = emit_service_request = emit_kexinit = emit_ecdh_init = _send
    emit_userauth_request = emit_request_failure = emit_channel_open = emit_open_confirmation = emit_open_failure = _send
    emit_window_adjust = emit_channel_data = emit_channel_eof = emit_channel_close = emit_channel_request = _send
    emit_channel_success = emit_channel_failure = _send

    # --- what the machine asks --------------------------------------------------------------------------------------------------

    def ask_own_identification(self) -> law.Identification:
        return messages.identification("wirelaw_0.1")

    def ask_own_offer(self, first: bool, /) -> law.Kexinit:
        return messages.kexinit(self._offer.entropy.octets(16), self._offer.lists(first))

    def ask_own_ecdh_init(self) -> law.EcdhInit:
        self._agreement = Agreement()
        return messages.ecdh_init(self._agreement.public)

    def ask_own_extensions(self) -> law.ExtInfo:
        return law.ExtInfo()

    def ask_next_login(self, session: bytes, /) -> law.UserauthRequest:
        credential = self._credentials.pop(0)
        request = law.UserauthRequest(user=self.user, service="ssh-connection")
        if isinstance(credential, Password):
            return replace(request, method="password", content=boolean(False) + string(credential.text))
        request = replace(request, method="publickey", content=boolean(True) + string(ED25519) + string(credential.public))
        signature = credential.sign(string(session) + messages.built(request))
        return replace(request, content=request.content + string(signature))

    def ask_takes(self, channel_type: str, /) -> bool:
        return False

    def ask_grants(self, key: int, request: str, /) -> bool:
        return False

    def ask_piece(self, key: int, count: int, /) -> bytes:
        piece = bytes(self._input[key][:count])
        del self._input[key][:count]
        return piece

    def ask_next_request(self, key: int, /) -> law.ChannelRequest:
        return law.ChannelRequest(request="exec", want_reply=True, content=string(self._programs[key].command))

    # --- what it tells ------------------------------------------------------------------------------------------------------------

    def tell_logged_in(self) -> None:
        self.logged_in = True

    def tell_rejected(self, methods: tuple[str, ...], partial: bool, /) -> None:
        self.rejected = not self._credentials

    def tell_disconnected(self, reason: str, /) -> None:
        self.disconnected = reason
        self.transport_ended()

    def tell_answered(self, key: int, ok: bool, /) -> None:
        self._programs[key].accepted = ok
        if not ok:
            self._unwanted.append(key)

    def tell_requested(self, key: int, m: law.ChannelRequest, /) -> None:
        if m.request == "exit-status":
            try:
                self._programs[key].status = Reader(m.content).number()
            except DecodeError:
                return

    def tell_data_in(self, key: int, content: bytes, /) -> None:
        self._programs[key].output += content

    def tell_extended_in(self, key: int, code: int, content: bytes, /) -> None:
        self._programs[key].errors += content

    def tell_refused(self, key: int, reason: str, /) -> None:
        self._programs[key].accepted = False
        self.tell_closed(key)

    def tell_closed(self, key: int, /) -> None:
        self._programs.pop(key).over = True
        del self._input[key]

    def tell_opened(self, key: int, /) -> None:
        """Requests and input follow by themselves."""

    def tell_ended(self, key: int, /) -> None:
        """The end of the output alone is no news: the channel's end follows."""

    def tell_named(self, m: law.Identification, /) -> None:
        """Whom we talk to matters to nobody yet."""

    def tell_extended(self, m: law.ExtInfo, /) -> None:
        """The one kind of key that we log in with needs no extension."""

    def tell_banner(self, m: law.UserauthBanner, /) -> None:
        """What a server says before a login is shown by no caller yet."""
