"""QEMU's virtio-net device, driven from outside the guest through QEMU's own test socket.

QEMU runs its aarch64 `virt` machine with a processor that never starts; this process plays the guest. The machine's
memory is a memfd that both map; the registers are reached by text commands over a socket (one line each:
``readl 0x0a003e70`` answers ``OK 0x...``), and interrupts arrive as lines ``IRQ raise N`` between the answers.
A write may be posted: its answer is counted as owed and skipped when it arrives, so that a kick costs no round trip.
Everything QEMU needs is passed as open descriptors: no file is left behind, whatever happens.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from ctypes import CDLL
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from types import TracebackType
from typing import Any, Final, Self

from wirelaw.impl.device.link import DEFAULT_MAC
from wirelaw.impl.device.transport import (
    MAGIC,
    MMIO_VERSION,
    NET_DEVICE,
    TX_QUEUE,
    Interrupt,
    Register,
    Status,
    TransportLost,
)
from wirelaw.impl.device.virtio_net import DEFAULT_FEATURES, Feature, VirtioNet
from wirelaw.impl.runtime.errors import MissingMeans, UserError

PROGRAM: Final = "qemu-system-aarch64"
MMIO_START: Final = 0x0A000000
MMIO_END: Final = 0x0A004000
MMIO_STEP: Final = 0x200
RAM_BASE: Final = 0x40000000
RAM_RESERVED: Final = 2 << 20  # the machine puts its device tree at the start of RAM
FIRST_IRQ: Final = 16  # of the virtio slots, as an input line of the interrupt controller
GIC_TYPE: Final = "child<arm_gic>"
START_TIMEOUT: Final = 15.0  # seconds
ANSWER_TIMEOUT: Final = 5.0  # seconds
MAX_OWED: Final = 64  # posted writes; more unread answers could fill the socket and block QEMU
PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Forward:
    """TCP connections to 127.0.0.1:`host_port` reach `guest_port` of 10.0.2.15; host port 0 takes a free one."""

    guest_port: int
    host_port: int = 0


@dataclass(frozen=True, slots=True)
class UserNet:
    """QEMU's user networking: 10.0.2.15 for us, gateway 10.0.2.2 (the host's loopback), DNS 10.0.2.3. No root needed."""

    forwards: tuple[Forward, ...] = ()

    def option(self) -> str:
        """The value for `-netdev`, without the id."""
        forwards = (f",hostfwd=tcp:127.0.0.1:{f.host_port}-10.0.2.15:{f.guest_port}" for f in self.forwards)
        return "user" + "".join(forwards)


@dataclass(frozen=True, slots=True)
class TapNet:
    """An existing TAP interface; with its `vnet_hdr` flag set, the device offers checksum and TSO offload."""

    interface: str

    def option(self) -> str:
        """The value for `-netdev`, without the id."""
        return f"tap,ifname={self.interface},script=no,downscript=no,vhost=off"


@dataclass(frozen=True, slots=True)
class DatagramNet:
    """One raw Ethernet frame per UNIX datagram, lossless, between socket files `local` (made by QEMU) and `remote`."""

    local: Path
    remote: Path

    def option(self) -> str:
        """The value for `-netdev`, without the id."""
        return f"dgram,local.type=unix,local.path={self.local},remote.type=unix,remote.path={self.remote}"


NetBackend = UserNet | TapNet | DatagramNet


def _end_with_parent() -> Callable[[], None]:
    """To run in the child before exec: the kernel ends QEMU when the thread that started it ends, however it does."""
    prctl, parent = CDLL(None).prctl, os.getpid()

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


class QemuMachine:
    """One running QEMU with a virtio-net device for every one of `backends`. Use as a context manager, or close it.

    `capture` names a pcap file in which QEMU itself records the frames of the first backend. QEMU ends with the thread
    that made this object. Raises MissingMeans or UserError when QEMU is absent or refuses its configuration.
    """

    def __init__(
        self,
        backends: Sequence[NetBackend] = (UserNet(),),
        *,
        mac: bytes = DEFAULT_MAC,
        memory_mib: int = 64,
        capture: Path | None = None,
        program: str = PROGRAM,
    ) -> None:
        path = shutil.which(program)
        if path is None:
            raise MissingMeans(f"{program} is not installed", "apt install qemu-system-arm (or use another device)")
        self.lines_up: dict[int, int] = {}
        """Interrupt lines that are up -> which raise it was, counted over the machine's life."""
        self._raises = 0
        self._owed = 0
        self._posted = self._answered = 0
        self._received = b""
        self._errors = os.memfd_create("qemu-stderr")
        self._socket, far_socket = socket.socketpair()
        self._control, far_control = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        ram = os.memfd_create("guest-ram")
        try:
            os.ftruncate(ram, memory_mib << 20)
            self.memory = memoryview(mmap.mmap(ram, memory_mib << 20))
            far_ends = (ram, far_socket.fileno(), far_control.fileno())
            self._process = subprocess.Popen(
                [path, *self._arguments(backends, mac, memory_mib, capture), *self._plumbing(memory_mib, *far_ends)],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=far_ends,
                start_new_session=True,  # an interrupt from the keyboard is for us, who may still have to say goodbye
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - it makes two system calls and takes no lock
            )
            far_socket.close()  # or the end of QEMU would not be seen
            far_control.close()
            self._start()
        except BaseException:
            self.close()
            raise
        finally:
            os.close(ram)
            far_socket.close()
            far_control.close()

    @staticmethod
    def _arguments(backends: Sequence[NetBackend], mac: bytes, memory_mib: int, capture: Path | None) -> list[str]:
        arguments = ["-machine", "virt,memory-backend=mem", "-accel", "tcg", "-m", f"{memory_mib}M"]
        # A processor with no program would spin on exceptions and eat one core.
        arguments += ["-cpu", "cortex-a53,start-powered-off=on", "-display", "none", "-nodefaults"]
        arguments += ["-global", "virtio-mmio.force-legacy=false"]
        for number, backend in enumerate(backends):
            address = (mac[:5] + bytes([(mac[5] + number) & 0xFF])).hex(":")
            arguments += ["-netdev", f"{backend.option()},id=n{number}"]
            arguments += ["-device", f"virtio-net-device,netdev=n{number},mac={address}"]
        if capture is not None:
            arguments += ["-object", f"filter-dump,id=capture,netdev=n0,file={str(capture).replace(',', ',,')}"]
        return arguments

    @staticmethod
    def _plumbing(memory_mib: int, ram: int, qtest: int, control: int) -> list[str]:
        backend = f"memory-backend-file,id=mem,size={memory_mib << 20},mem-path=/proc/self/fd/{ram},share=on"
        return [
            *("-object", backend),
            *("-chardev", f"socket,id=qtest,fd={qtest}", "-qtest", "chardev:qtest", "-qtest-log", "none"),
            *("-chardev", f"socket,id=control,fd={control}", "-mon", "chardev=control,mode=control"),
        ]

    def _start(self) -> None:
        try:
            self._bound_waiting(START_TIMEOUT)
            self._command(b"readl 0x%x" % MMIO_START)
            self._bound_waiting(ANSWER_TIMEOUT)
            self._control.settimeout(START_TIMEOUT)
            self._control_lines = self._control.makefile("rb")
            self._control_lines.readline()  # the greeting
            self.execute("qmp_capabilities")
            self._command(b"irq_intercept_in " + self._interrupt_controller().encode())
        except (TransportLost, OSError, ValueError) as failure:
            raise self._start_failure(self.diagnostics() or str(failure)) from None

    def _bound_waiting(self, seconds: float) -> None:
        # In the kernel, because a timeout of the socket object would make each MSG_DONTWAIT wait as well.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", int(seconds), 0))

    @staticmethod
    def _start_failure(reason: str) -> UserError:
        line = reason.strip().splitlines()[-1] if reason.strip() else "no reason given"
        if "not permitted" in line or "Permission denied" in line or "/dev/net/tun: No such" in line:
            return MissingMeans(f"QEMU may not open its network: {line}", "run as root or under `unshare -rn`")
        if "host forwarding rule" in line:
            return UserError(f"QEMU may not forward a port: {line}; the port of this machine is in use, or not yours: choose another")
        return UserError(f"QEMU did not start: {line}")

    def _interrupt_controller(self) -> str:
        for child in self.execute("qom-list", path="/machine/unattached"):
            if child["type"] == GIC_TYPE:
                return f"/machine/unattached/{child['name']}"
        raise UserError("QEMU's virt machine has no arm_gic interrupt controller; use QEMU 7 or newer")

    # --- the test socket --------------------------------------------------------------------------------------------

    def read(self, width: str, address: int) -> int:
        """Read the register at guest-physical `address`; `width` is b, w or l."""
        return int(self._command(b"read%s 0x%x" % (width.encode(), address)).split()[1], 16)

    def write(self, address: int, value: int) -> None:
        """Write a 32-bit register and wait until QEMU has done it."""
        self._command(b"writel 0x%x 0x%x" % (address, value))

    def post(self, command: bytes) -> int:
        """Send a complete command line and do not wait. The return value compares with `done_count`."""
        if self._owed >= MAX_OWED:
            self._drain(block=self._owed >= 4 * MAX_OWED)
        try:
            self._socket.sendall(command)
        except OSError as failure:
            raise self._lost(str(failure)) from None
        self._owed += 1
        self._posted += 1
        return self._posted

    @property
    def done_count(self) -> int:
        """How many posted commands have been answered."""
        return self._posted - self._owed

    def wait(self, timeout: float | None) -> None:
        """Sleep until QEMU says something, and take note of it."""
        if self._poll.poll(None if timeout is None else timeout * 1000):
            self._drain(block=False)

    def fileno(self) -> int:
        """The test socket."""
        return self._socket.fileno()

    def _command(self, command: bytes) -> bytes:
        try:
            self._socket.sendall(command + b"\n")
        except OSError as failure:
            raise self._lost(str(failure)) from None
        while (answer := self._next_answer()) is None or self._owed:
            if answer is None:
                self._fill(0)
            else:
                self._owed -= 1
        if answer.startswith(b"FAIL"):
            raise TransportLost(f"QEMU answered {answer.decode()!r} to {command.decode()!r}")
        return answer

    def _drain(self, *, block: bool) -> None:
        self._fill(0 if block else socket.MSG_DONTWAIT)
        while self._owed and self._next_answer() is not None:
            self._owed -= 1
        if not self._owed:
            self._next_answer()  # only interrupt lines can be left

    def _fill(self, flags: int) -> None:
        try:
            data = self._socket.recv(65536, flags)
        except BlockingIOError:
            if flags & socket.MSG_DONTWAIT:
                return
            raise self._lost("it does not answer") from None
        except OSError as failure:
            raise self._lost(str(failure)) from None
        if not data:
            raise self._lost("it closed the connection")
        self._received += data

    def _next_answer(self) -> bytes | None:
        """The next complete answer received, or None; notes the interrupt lines that stand before it."""
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if not newline:
                return None
            self._received = rest
            if not line.startswith(b"IRQ "):
                return line
            _, change, number = line.split()
            if change == b"raise":
                self._raises += 1
                self.lines_up[int(number)] = self._raises
            else:
                self.lines_up.pop(int(number), None)

    def _lost(self, reason: str) -> TransportLost:
        return TransportLost(f"QEMU has gone: {reason} {self.diagnostics()}".rstrip())

    # --- the control socket and the process -------------------------------------------------------------------------

    def execute(self, command: str, **arguments: object) -> Any:
        """Run one command of QEMU's machine protocol and return its result."""
        self._control.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while line := self._control_lines.readline():
            message = json.loads(line)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise ValueError(f"QEMU refuses {command}: {message['error']['desc']}")
        raise self._lost("it closed the control connection")

    def set_link(self, up: bool, backend: int = 0) -> None:
        """Plug or unplug the cable of one backend; the device tells its driver by a configuration interrupt."""
        self.execute("set_link", name=f"n{backend}", up=up)

    def forwarded_ports(self) -> dict[int, int]:
        """Guest port -> port of 127.0.0.1 that QEMU listens on, for every `Forward`."""
        text: str = self.execute("human-monitor-command", **{"command-line": "info usernet"})
        found = re.findall(r"TCP\[HOST_FORWARD\]\s+\S+\s+127\.0\.0\.1\s+(\d+)\s+10\.0\.2\.15\s+(\d+)", text)
        return {int(guest): int(host) for host, guest in found}

    @property
    def pid(self) -> int:
        """Process number of this QEMU; 0 when it was never started."""
        return self._process.pid if self._process else 0

    def diagnostics(self) -> str:
        """What QEMU printed, e.g. its reason for DEVICE_NEEDS_RESET. At most 16 KB; empty after `close`."""
        if self._errors < 0:
            return ""
        return os.pread(self._errors, 16384, 0).decode(errors="replace").strip()

    def close(self) -> None:
        """End this QEMU, by its process number, and wait for it. The shared memory lives as long as a view of it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(ANSWER_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1
        if hasattr(self, "_control_lines"):
            self._control_lines.close()
        self._control.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- devices ----------------------------------------------------------------------------------------------------

    def find_device(self) -> QtestTransport:
        """The first virtio-net device in the register range that no driver has claimed (its status reads 0)."""
        claimed = 0
        for address in range(MMIO_START, MMIO_END, MMIO_STEP):
            identity = [self.read("l", address + r) for r in (Register.MAGIC, Register.VERSION, Register.DEVICE_ID)]
            if identity != [MAGIC, MMIO_VERSION, NET_DEVICE]:
                continue
            if self.read("l", address + Register.STATUS) == Status(0):
                return QtestTransport(self, address)
            claimed += 1
        raise UserError(f"no free virtio-net device between {MMIO_START:#x} and {MMIO_END:#x}; {claimed} claimed by a driver")


class QtestTransport:
    """One device of a `QemuMachine`, found at `address`. Closing it closes the machine."""

    def __init__(self, machine: QemuMachine, address: int) -> None:
        self.machine = machine
        self.address = address
        self.memory = machine.memory
        self.base = RAM_BASE
        self.reserved = RAM_RESERVED
        self._line = FIRST_IRQ + (address - MMIO_START) // MMIO_STEP
        self._kicks = [b"writel 0x%x 0x%x\n" % (address + Register.QUEUE_NOTIFY, queue) for queue in range(TX_QUEUE + 1)]
        self._acknowledge = b"writel 0x%x 0x%x\n" % (address + Register.INTERRUPT_ACK, Interrupt.USED)
        self._acknowledged_raise = 0
        self._acknowledgement = 0  # as counted by `QemuMachine.post`
        self._unsettled = False

    def readb(self, register: int) -> int:
        """Read 8 bits."""
        return self.machine.read("b", self.address + register)

    def readw(self, register: int) -> int:
        """Read 16 bits."""
        return self.machine.read("w", self.address + register)

    def readl(self, register: int) -> int:
        """Read 32 bits."""
        return self.machine.read("l", self.address + register)

    def writel(self, register: int, value: int) -> None:
        """Write 32 bits and wait until it is done."""
        self.machine.write(self.address + register, value)

    def kick(self, queue: int) -> None:
        """Post a write of the notification register."""
        self.machine.post(self._kicks[queue])

    def wait(self, timeout: float | None) -> bool:
        """Sleep until the device's line is up. Answers to posted writes wake the socket but not the caller.

        One does: what the device returned before it saw our acknowledgement raised no interrupt of its own, and the
        driver has looked at its rings before. So once the acknowledgement is answered, it must look again.
        """
        if self._attention():
            return True
        deadline = None if timeout is None else time.monotonic() + timeout
        left = timeout
        while True:
            self.machine.wait(left)
            if self._attention():
                return True
            if deadline is not None and (left := deadline - time.monotonic()) <= 0:
                return False

    def _attention(self) -> bool:
        if self._acknowledging():
            return False
        settled, self._unsettled = self._unsettled, False
        return settled or self._line in self.machine.lines_up

    def _acknowledging(self) -> bool:
        """An acknowledgement is posted and QEMU has not answered: the line's state is not known."""
        return self._acknowledgement > self.machine.done_count

    def take_interrupt(self) -> Interrupt:
        """Acknowledge a used-buffer interrupt without a round trip; only when that left the line up, ask for the cause.

        So the frequent interrupt costs one posted write, and the rare configuration change two round trips.
        """
        machine = self.machine
        this_raise = machine.lines_up.get(self._line)
        if this_raise is None or self._acknowledging():
            return Interrupt.NONE
        if this_raise != self._acknowledged_raise:
            self._acknowledged_raise = this_raise
            self._acknowledgement = machine.post(self._acknowledge)
            self._unsettled = True
            return Interrupt.USED
        causes = Interrupt(self.readl(Register.INTERRUPT_STATUS) & 3)
        self.writel(Register.INTERRUPT_ACK, causes)
        return causes

    def fileno(self) -> int:
        """The machine's test socket."""
        return self.machine.fileno()

    def close(self) -> None:
        """End the machine."""
        self.machine.close()


def open_qemu(
    backend: NetBackend | None = None,
    *,
    features: Feature = DEFAULT_FEATURES,
    mac: bytes = DEFAULT_MAC,
    capture: Path | None = None,
    ring_size: int = 256,
) -> VirtioNet:
    """Start QEMU, find its virtio-net device and start that. Closing the device ends QEMU."""
    machine = QemuMachine((backend or UserNet(),), mac=mac, capture=capture)
    try:
        return VirtioNet(machine.find_device(), features, ring_size=ring_size)
    except BaseException:
        machine.close()
        raise
