"""Finishing checksums and segmenting, against independent arithmetic and contradictory requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.device.link import VNET_HEADER, Offload
from wirelaw.impl.device.segmentation import finish_checksum, internet_checksum, segment


def rfc1071(data: bytes) -> int:
    """The algorithm as RFC 1071, section 4.1 writes it."""
    total = 0
    for i in range(0, len(data) - 1, 2):
        total += data[i] << 8 | data[i + 1]
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.binary(max_size=200))
def test_checksum_agrees_with_the_rfc(data):
    assert internet_checksum(data) == (rfc1071(data) or 0xFFFF)


@given(st.binary(max_size=100), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_a_checksum_field_outside_the_frame_is_left_alone(data, start, offset):
    finished = finish_checksum(data, Offload(True, start, offset))
    assert len(finished) == len(data)
    if start + offset + 2 > len(data):
        assert finished == data


@given(st.binary(max_size=200), st.integers(0, 100), st.integers(0, 100), st.integers(0, 300))
def test_segmenting_never_raises_and_never_adds_payload(frame, start, header, size):
    parts = segment(frame, Offload(True, start, 16, size, header))
    if parts:
        assert b"".join(part[header:] for part in parts) == frame[header:]


def test_an_offload_packs_into_the_virtio_header():
    assert VNET_HEADER.unpack(Offload().pack()) == (0, 0, 0, 0, 0, 0, 0)
    assert VNET_HEADER.unpack(Offload(True, 34, 16, 1460, 54).pack()) == (1, 1, 54, 1460, 34, 16, 0)
