"""The Internet checksum (RFC 1071) against a word-by-word reference."""

from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.wire.checksum import checksum, complement, is_valid, pseudo_header_sum, word_sum


def rfc1071(data: bytes) -> int:
    """The algorithm as RFC 1071 section 4.1 writes it."""
    total = 0
    for index in range(0, len(data) - 1, 2):
        total += data[index] << 8 | data[index + 1]
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.binary(max_size=3000).filter(any))
def test_checksum_equals_the_word_by_word_sum(data: bytes) -> None:
    assert checksum(data) == rfc1071(data)
    assert checksum(memoryview(bytearray(data))) == rfc1071(data)


def test_rfc1071_example() -> None:
    data = bytes.fromhex("0001f203f4f5f6f7")
    assert checksum(data) == 0xFFFF - 0xDDF2


def test_ipv4_header_of_known_checksum() -> None:
    header = bytes.fromhex("45000073000040004011b861c0a80001c0a800c7")
    assert is_valid(header)
    assert checksum(header[:10] + b"\0\0" + header[12:]) == 0xB861


@given(st.binary(min_size=2, max_size=100).filter(any), st.integers(0, 799), st.integers(0, 2**40))
def test_a_stored_checksum_verifies_and_a_flipped_bit_does_not(data: bytes, bit: int, initial: int) -> None:
    data += bytes(len(data) % 2)
    message = bytearray(data + complement(word_sum(data) + initial).to_bytes(2, "big"))
    assert is_valid(message, initial)
    bit %= len(message) * 8
    message[bit // 8] ^= 1 << bit % 8
    assert not is_valid(message, initial)


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), st.integers(0, 255), st.integers(0, 65535))
def test_pseudo_header_sum_is_that_of_its_octets(src: bytes, dst: bytes, protocol: int, length: int) -> None:
    header = src + dst + bytes((0, protocol)) + length.to_bytes(2, "big")
    assert pseudo_header_sum(src, dst, protocol, length) % 65535 == word_sum(header)


def test_pseudo_header_of_ipv6() -> None:
    src, dst = bytes(range(16)), bytes(range(16, 32))
    header = src + dst + (40).to_bytes(4, "big") + bytes((0, 0, 0, 6))
    assert pseudo_header_sum(src, dst, 6, 40) % 65535 == word_sum(header)
