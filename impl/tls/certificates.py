"""Whom a client believes: paths to a trusted root (RFC 5280, RFC 9525), and signatures of handshakes (RFC 9846 section 4.5.2)."""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from wirelaw.impl.runtime.errors import UserError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

# The schemes for handshakes: ECDSA names curve and hash, RSASSA-PSS the hash.
_ECDSA: Final[dict[int, tuple[type[ec.EllipticCurve], Hash]]] = {
    0x0403: (ec.SECP256R1, hashes.SHA256()),
    0x0503: (ec.SECP384R1, hashes.SHA384()),
    0x0603: (ec.SECP521R1, hashes.SHA512()),
}
_PSS: Final[dict[int, Hash]] = {0x0804: hashes.SHA256(), 0x0805: hashes.SHA384(), 0x0806: hashes.SHA512()}
_ED25519: Final = 0x0807
_PKCS1: Final = (0x0401, 0x0501, 0x0601)
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
SCHEMES: Final = (*_ECDSA, _ED25519, *_PSS, *_PKCS1)
"""What a client offers; the last three only for signatures in certificates."""


def signed_content(role: str, digest: bytes) -> bytes:
    """What the CertificateVerify of `role` ("client" or "server") signs over the transcript's `digest`."""
    return b" " * 64 + f"TLS 1.3, {role} CertificateVerify".encode() + b"\0" + digest


def check_signature(leaf: bytes, scheme: int, signature: bytes, content: bytes) -> tuple[bool, bool]:
    """Whether `scheme` fits the key of the certificate `leaf` (DER), and whether `signature` over `content` is that key's."""
    key = x509.load_der_x509_certificate(leaf).public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and scheme in _ECDSA and isinstance(key.curve, _ECDSA[scheme][0]):
            key.verify(signature, content, ec.ECDSA(_ECDSA[scheme][1]))
        elif isinstance(key, rsa.RSAPublicKey) and scheme in _PSS:
            key.verify(signature, content, _pss(_PSS[scheme]), _PSS[scheme])
        elif isinstance(key, ed25519.Ed25519PublicKey) and scheme == _ED25519:
            key.verify(signature, content)
        else:
            return False, False
    except InvalidSignature:
        return True, False
    return True, True


def _pss(algorithm: Hash) -> padding.PSS:
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate chain (the holder's first) and the private key of its holder."""

    certificates: tuple[x509.Certificate, ...]
    key: PrivateKey

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates in DER."""
        return tuple(c.public_bytes(Encoding.DER) for c in self.certificates)

    def scheme(self, wanted: Sequence[int]) -> int | None:
        """The first of the `wanted` schemes that the key can sign with."""
        key = self.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            able = [s for s, (curve, _) in _ECDSA.items() if isinstance(key.curve, curve)]
        else:
            able = [*_PSS] if isinstance(key, rsa.RSAPrivateKey) else [_ED25519]
        return next((s for s in wanted if s in able), None)

    def sign(self, scheme: int, content: bytes) -> bytes:
        """The signature over `content`."""
        key = self.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(content, ec.ECDSA(_ECDSA[scheme][1]))
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(content, _pss(_PSS[scheme]), _PSS[scheme])
        return key.sign(content)


class Trust:
    """The roots that a client trusts."""

    def __init__(self, roots: Iterable[x509.Certificate]) -> None:
        self._roots = list(roots)

    @classmethod
    def system(cls) -> Trust:
        """The roots that the operating system trusts. UserError where it has none."""
        paths = ssl.get_default_verify_paths()
        bundle = Path(paths.cafile or "")
        files = [bundle] if bundle.is_file() else sorted(Path(paths.capath or ".").glob("*.pem"))
        roots = {c.fingerprint(hashes.SHA256()): c for f in files for c in _sound(f.read_bytes())}
        if not roots:
            raise UserError("this system has no trusted root certificates; install ca-certificates, or name a file of roots")
        return cls(roots.values())

    @classmethod
    def file(cls, path: Path) -> Trust:
        """The roots in a PEM file. UserError where it cannot be read or holds none."""
        try:
            return cls(x509.load_pem_x509_certificates(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: no certificates can be read ({error}); name a PEM file") from None

    def verdict(self, chain: Sequence[bytes], name: str, at: datetime) -> str:
        """What building a path says of `chain` (DER, the server's first) for host `name` at time `at`: a `path_verdict` of the law.

        What is refused is refused by the verifier; the reason, which only chooses the alert, is found by asking again.
        """
        try:
            certificates = [x509.load_der_x509_certificate(der) for der in chain]
            certificates[0].public_key()
        except (ValueError, UnsupportedAlgorithm):
            return "corrupt"
        if self._holds(certificates, subject(name), at):
            return "trusted"
        if any(not c.not_valid_before_utc <= at <= c.not_valid_after_utc for c in certificates):
            return "expired"
        if any(self._holds(certificates, other, at) for other in _names(certificates[0])):
            return "unacceptable"
        return "unanchored"

    def _holds(self, chain: list[x509.Certificate], subject: x509.DNSName | x509.IPAddress, at: datetime) -> bool:
        if not self._roots:
            return False
        try:
            PolicyBuilder().store(Store(self._roots)).time(at).build_server_verifier(subject).verify(chain[0], chain[1:])
        except (VerificationError, ValueError):
            return False
        return True


def _sound(pem: bytes) -> Iterator[x509.Certificate]:
    """The certificates in `pem`, but for those that break RFC 5280 so far that the library complains."""
    for block in re.findall(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                yield x509.load_pem_x509_certificate(block)
            except (ValueError, Warning):
                continue


def is_address(name: str) -> bool:
    """Whether `name` is an IP address and not a host name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def subject(name: str) -> x509.DNSName | x509.IPAddress:
    """What a certificate for `name` must be for. UserError where it can be nobody's name."""
    if is_address(name):
        return x509.IPAddress(ip_address(name))
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise UserError(f"{name!r} is neither a host name in ASCII nor an IP address")
    return x509.DNSName(name)


def _names(leaf: x509.Certificate) -> list[x509.DNSName | x509.IPAddress]:
    """A few names that the certificate was issued for."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names: list[x509.DNSName | x509.IPAddress] = [
            x509.DNSName(n.replace("*", "x")) for n in found.get_values_for_type(x509.DNSName)[:2]
        ]
        return names + [x509.IPAddress(a) for a in found.get_values_for_type(x509.IPAddress)[:2] if not hasattr(a, "netmask")]
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return []
