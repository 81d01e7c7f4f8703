"""How the virtio-net driver reaches a device: a register window, shared memory, a doorbell and an interrupt line.

The registers are those of virtio-mmio version 2 (virtio 1.2, 4.2.2); a device that has none, such as the in-process
model, answers as if it had.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final, Protocol

MAGIC: Final = 0x74726976  # "virt"
MMIO_VERSION: Final = 2
NET_DEVICE: Final = 1

RX_QUEUE: Final = 0
TX_QUEUE: Final = 1


class Register(IntEnum):
    """Offsets of the virtio-mmio registers, in bytes from the start of the device's window."""

    MAGIC = 0x00
    VERSION = 0x04
    DEVICE_ID = 0x08
    DEVICE_FEATURES = 0x10
    DEVICE_FEATURES_SELECT = 0x14
    DRIVER_FEATURES = 0x20
    DRIVER_FEATURES_SELECT = 0x24
    QUEUE_SELECT = 0x30
    QUEUE_SIZE_MAX = 0x34
    QUEUE_SIZE = 0x38
    QUEUE_READY = 0x44
    QUEUE_NOTIFY = 0x50
    INTERRUPT_STATUS = 0x60
    INTERRUPT_ACK = 0x64
    STATUS = 0x70
    QUEUE_DESC_LOW = 0x80
    QUEUE_DESC_HIGH = 0x84
    QUEUE_DRIVER_LOW = 0x90
    QUEUE_DRIVER_HIGH = 0x94
    QUEUE_DEVICE_LOW = 0xA0
    QUEUE_DEVICE_HIGH = 0xA4
    CONFIG_GENERATION = 0xFC
    CONFIG_MAC = 0x100
    CONFIG_STATUS = 0x106


class Status(IntFlag):
    """Bits of the device status register (virtio 1.2, 2.1)."""

    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    NEEDS_RESET = 64
    FAILED = 128


class Interrupt(IntFlag):
    """Causes of an interrupt (virtio-mmio InterruptStatus)."""

    NONE = 0
    USED = 1
    CONFIG = 2


class TransportLost(Exception):  # noqa: N818 - named for what happened
    """The device has gone, e.g. its emulator ended. Transports raise it, the driver keeps it from the stack."""


class Transport(Protocol):
    """One device. `memory` is the RAM shared with it; `base` is the address the device gives to `memory[0]`."""

    memory: memoryview
    base: int
    reserved: int
    """Bytes at the start of `memory` that the driver must leave alone."""

    def readb(self, register: int) -> int:
        """Read 8 bits at `register`, an offset into the device's window."""

    def readw(self, register: int) -> int:
        """Read 16 bits."""

    def readl(self, register: int) -> int:
        """Read 32 bits."""

    def writel(self, register: int, value: int) -> None:
        """Write 32 bits."""

    def kick(self, queue: int) -> None:
        """Tell the device that queue number `queue` has new entries. Does not wait for the device."""

    def wait(self, timeout: float | None) -> bool:
        """Sleep up to `timeout` seconds (None: for ever) for the interrupt line; True when it is up."""

    def take_interrupt(self) -> Interrupt:
        """Acknowledge the interrupt and tell its causes; `NONE` when the line is down."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when the interrupt line may have gone up."""

    def close(self) -> None:
        """Free the device and what stands behind it. May be called twice."""
