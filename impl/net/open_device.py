"""Opening the device a host is to run on: QEMU's virtio-net, a TAP interface, or a virtio device in this process."""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Final

from wirelaw.impl.device.memory import DeviceModel, cable
from wirelaw.impl.device.qtest import DatagramNet, Forward, NetBackend, QemuMachine, TapNet, UserNet
from wirelaw.impl.device.tap import TapLink, existing
from wirelaw.impl.device.virtio_net import DEFAULT_FEATURES, PLAIN_FEATURES, VirtioNet
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.loop import Opened
from wirelaw.impl.runtime.errors import UserError

PEER_MAC: Final = bytes.fromhex("525400123402")
DEFAULT_TAP: Final = "tap0"


def open_qemu(
    config: HostConfig,
    tap: str | None = None,
    forwards: tuple[Forward | int, ...] = (),
    capture: Path | None = None,
    offload: bool = True,
    datagrams: tuple[Path, Path] | None = None,
) -> Opened:
    """QEMU's virtio-net device, on its user network, on the TAP interface `tap`, or on UNIX `datagrams` (QEMU's socket file, ours).

    On the user network the TCP `forwards` (our ports) are reachable from this machine's 127.0.0.1: on the port that a
    `Forward` names, else on one that QEMU chooses; `LiveHost.forwards` tells which. The TAP interface must exist.
    """
    wanted = tuple(Forward(f) if isinstance(f, int) else f for f in forwards)
    backend: NetBackend = TapNet(existing(tap)) if tap is not None else UserNet(wanted)
    if datagrams is not None:
        backend = DatagramNet(*datagrams)
    machine = QemuMachine((backend,), mac=config.mac, capture=capture)
    try:
        link = VirtioNet(machine.find_device(), DEFAULT_FEATURES if offload else PLAIN_FEATURES)
        return Opened([(link, config)], [machine], machine.forwarded_ports() if wanted else {})
    except BaseException:
        machine.close()
        raise


def open_tap(config: HostConfig, name: str | None = None, offload: bool = True) -> Opened:
    """The TAP interface `name`, which must exist; the kernel is the neighbour.

    Without a name, tap0: where it does not exist it is made, set up with the neighbour's address, and goes with the host.
    """
    link = TapLink(DEFAULT_TAP if name is None else name, mac=config.mac, offload=offload, create=name is None)
    try:
        if link.created:
            neighbour = neighbour_of(config)
            link.configure(IPv4Interface((neighbour.ip, config.prefix)))
    except BaseException:
        link.close()
        raise
    return Opened([(link, config)])


def open_memory(config: HostConfig, peer: HostConfig | None = None) -> Opened:
    """Two virtio devices in this process joined by a cable; the second host has the gateway's address unless told."""
    peer = peer or neighbour_of(config)
    near, far = DeviceModel(mac=config.mac), DeviceModel(mac=peer.mac)
    cable(near, far)
    return Opened([(VirtioNet(near), config), (VirtioNet(far), peer)])


def neighbour_of(config: HostConfig) -> HostConfig:
    """A host at the gateway's address, or at another one of the same network when there is no gateway."""
    network = config.interface.network
    address = config.gateway or next((host for host in network.hosts() if host != config.ip), IPv4Address(0))
    if address not in network or address == config.ip:
        raise UserError(f"network {IPv4Interface(config.interface)} has no room for a second host; give a shorter prefix")
    return config.with_(mac=PEER_MAC, ip=address, gateway=None, dns=())


_OPENERS: Final[dict[str, Callable[..., Opened]]] = {"qemu": open_qemu, "tap": open_tap, "memory": open_memory}


def opener(kind: str, config: HostConfig, options: dict[str, object]) -> Callable[[], Opened]:
    """The function that opens a device of `kind`; `UserError` for a kind or an option that does not exist."""
    chosen = _OPENERS.get(kind)
    if chosen is None:
        raise UserError(f"unknown device {kind!r}; choose one of {', '.join(sorted(_OPENERS))}")
    known = chosen.__annotations__.keys() - {"config", "return"}
    unknown = options.keys() - known
    if unknown:
        raise UserError(f"device {kind!r} has no option {min(unknown)!r}; it has {', '.join(sorted(known))}")
    return partial(chosen, config, **options)
