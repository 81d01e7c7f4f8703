"""What the tests of the virtio-net driver stand on: frames, packets for offload, small devices, a watch over the device models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from wirelaw.impl.device.link import Offload
from wirelaw.impl.device.memory import DeviceModel
from wirelaw.impl.device.segmentation import internet_checksum
from wirelaw.impl.device.virtio_net import DEFAULT_FEATURES, Feature

MERGING = DEFAULT_FEATURES | Feature.MRG_RXBUF
LARGE = Offload(needs_csum=True, csum_start=34, csum_offset=16, gso_size=1460, hdr_len=54)
small_device = partial(DeviceModel, memory_size=4 << 20)


def frame_of(length: int, seed: int = 0) -> bytes:
    return (bytes(range(seed % 256, 256)) + bytes(range(256)) * (length // 256 + 1))[:length]


def tcp_packet(payload: bytes, flags: int = 0x18) -> bytes:
    """A TCP/IPv4 frame whose TCP checksum field holds the folded pseudo-header sum, as for checksum offload."""
    tcp_length = 20 + len(payload)
    ip = bytearray.fromhex("45000000123440004006" + "0000" + "0a000001" + "0a000002")
    ip[2:4] = (20 + tcp_length).to_bytes(2)
    ip[10:12] = internet_checksum(ip).to_bytes(2)
    pseudo = (sum(int.from_bytes(ip[i : i + 2]) for i in range(12, 20, 2)) + 6 + tcp_length) % 0xFFFF
    tcp = bytes.fromhex("1f90c350" + "fffffff0" + "00000001" + "50") + bytes([flags]) + bytes.fromhex("ffff")
    return bytes(12) + b"\x08\x00" + ip + tcp + pseudo.to_bytes(2) + b"\0\0" + payload


def tcp_checksum_holds(frame: bytes) -> bool:
    tcp = frame[34:]
    pseudo = sum(int.from_bytes(frame[i : i + 2]) for i in range(26, 34, 2)) + 6 + len(tcp)
    padded = tcp + b"\0" * (len(tcp) % 2)
    return (int.from_bytes(padded) + pseudo) % 0xFFFF == 0 and int.from_bytes(frame[14:34]) % 0xFFFF == 0


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[DeviceModel]]:
    """Every device model made by a test: closed at its end, and the driver has kept the standard's rules on it."""
    made: list[DeviceModel] = []
    original = DeviceModel.__init__

    def remember(self: DeviceModel, **options: object) -> None:
        original(self, **options)
        made.append(self)

    monkeypatch.setattr(DeviceModel, "__init__", remember)
    yield made
    for model in made:
        model.close()
        assert model.violations == []
