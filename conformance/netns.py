"""Network namespaces without names: nothing is left behind, however the program ends.

A `Namespace` is held by one file descriptor; when that is closed (or the process dies) the kernel removes the namespace
with every interface in it. Threads enter it with setns(2), so sockets of several hosts live in one process: a socket
belongs to the namespace its thread was in when it was made. Needs root, or a user namespace (`unshare -rn PROGRAM`).
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from wirelaw.impl.runtime.errors import MissingMeans

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_SIOCETHTOOL = 0x8946
_ETHTOOL_SET_TX_CHECKSUMS, _ETHTOOL_SET_SCATTER, _ETHTOOL_SET_TSO = 0x17, 0x19, 0x1F
_ETHTOOL_SET_GSO, _ETHTOOL_SET_GRO = 0x24, 0x2C
_TUN_DEVICE = "/dev/net/tun"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _current() -> int:
    """A descriptor of the calling thread's network namespace."""
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def missing_means(tap: bool = False) -> str | None:
    """Why namespaces (and TAP devices, if `tap`) cannot be made here, with what would help; None when they can."""
    try:
        with Namespace() as namespace:
            if tap:
                os.close(namespace.add_tap("probe", "192.0.2.1/24"))
    except MissingMeans as error:
        return str(error)
    return None


class Namespace:
    """A new network namespace with its loopback up and IPv6 off. A context manager; leaving it removes everything.

    Raises MissingMeans when the rights or the `ip` program are missing.
    """

    def __init__(self, ipv6: bool = False):
        home = _current()
        try:
            _call("setns", home, _CLONE_NEWNET)  # the right to come back, before leaving
            _call("unshare", _CLONE_NEWNET)
            try:
                self._descriptor = _current()
            finally:
                _call("setns", home, _CLONE_NEWNET)
        except OSError as error:
            problem = f"no network namespace can be made ({os.strerror(error.errno or 0)})"
            raise MissingMeans(problem, "run as root, or under 'unshare -rn'") from error
        finally:
            os.close(home)
        try:
            if not ipv6:
                self.set_sysctl("net.ipv6.conf.all.disable_ipv6", 1)
                self.set_sysctl("net.ipv6.conf.default.disable_ipv6", 1)
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in the namespace for the block; processes and sockets made in it are too."""
        home = _current()
        try:
            _call("setns", self._descriptor, _CLONE_NEWNET)
            yield
        finally:
            _call("setns", home, _CLONE_NEWNET)
            os.close(home)

    def ip(self, *arguments: str) -> str:
        """Run `ip` with `arguments` inside; its output. Raises MissingMeans when it is absent or refuses."""
        try:
            with self.entered():
                done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise MissingMeans("the program 'ip' is missing", "install iproute2") from error
        except subprocess.CalledProcessError as error:
            raise MissingMeans(f"'ip {' '.join(arguments)}' failed: {error.stderr.strip()}", "check the rights and the kernel") from error
        return done.stdout

    def set_sysctl(self, name: str, value: int | str) -> None:
        """Set a `net.` kernel parameter inside; one the kernel does not have under net.ipv6 is left out."""
        path = Path("/proc/sys") / name.replace(".", "/")
        try:
            with self.entered():
                path.write_text(str(value))
        except FileNotFoundError as error:
            if not name.startswith("net.ipv6."):
                raise MissingMeans(f"this kernel has no parameter {name}", "use a newer kernel") from error
        except OSError as error:
            raise MissingMeans(f"{name} cannot be set ({error.strerror})", "run as root, with a writable /proc") from error

    def add_veth(self, name: str, address: str, peer: "Namespace", peer_name: str, peer_address: str) -> None:
        """Join this namespace to `peer` by a veth pair; addresses are 'A.B.C.D/LENGTH'."""
        there = f"/proc/{os.getpid()}/fd/{peer._descriptor}"
        self.ip("link", "add", name, "type", "veth", "peer", "name", peer_name, "netns", there)
        self._bring_up(name, address)
        peer._bring_up(peer_name, peer_address)

    def add_tap(self, name: str, address: str, vnet_header: bool = False) -> int:
        """Make a TAP interface inside; the non-blocking descriptor of its wire side, which the caller closes."""
        try:
            with self.entered():
                descriptor = os.open(_TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise MissingMeans(
                f"{_TUN_DEVICE} cannot be opened ({error.strerror})", "load the tun module and give read and write access"
            ) from error
        try:
            flags = _IFF_TAP | _IFF_NO_PI | (_IFF_VNET_HDR if vnet_header else 0)
            with self.entered():
                fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            self._bring_up(name, address)
        except OSError as error:
            os.close(descriptor)
            raise MissingMeans(f"TAP {name} cannot be made ({error.strerror})", "run as root") from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def set_offloads(self, name: str, on: bool) -> None:
        """Switch segmentation, coalescing and transmit checksum offload of interface `name` on or off."""
        commands = (_ETHTOOL_SET_TX_CHECKSUMS, _ETHTOOL_SET_SCATTER, _ETHTOOL_SET_TSO, _ETHTOOL_SET_GSO)
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for command in (*commands, _ETHTOOL_SET_GRO):
                value = ctypes.create_string_buffer(struct.pack("II", command, int(on)))
                request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
                try:
                    fcntl.ioctl(control, _SIOCETHTOOL, request)
                except OSError as error:
                    raise MissingMeans(f"offloads of {name} cannot be set ({error.strerror})", "record on a veth interface") from error

    def know_neighbour(self, name: str, address: str, peer: "Namespace", peer_name: str) -> None:
        """Enter the link-layer address of `peer`'s interface `peer_name`, so that no ARP runs before the first packet."""
        link = json.loads(peer.ip("-json", "link", "show", "dev", peer_name))[0]["address"]
        self.ip("neighbour", "replace", address, "lladdr", link, "dev", name, "nud", "permanent")

    def _bring_up(self, name: str, address: str) -> None:
        self.ip("address", "add", address, "dev", name)
        self.ip("link", "set", name, "up")

    def close(self) -> None:
        """Let go of the namespace; the kernel removes it once no socket or process uses it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
