"""TLS 1.3 (RFC 9846): records, keys and messages around the generated machine. `TlsClient` is one connection, without sockets."""

from wirelaw.impl.tls.certificates import Identity, Trust
from wirelaw.impl.tls.client import Offer, Session, TlsClient

__all__ = ["Identity", "Offer", "Session", "TlsClient", "Trust"]
