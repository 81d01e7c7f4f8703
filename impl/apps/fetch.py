"""HTTP/1.1 over our own TCP: one GET, framed by h11 (RFC 9112), its body handed on as it comes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import h11
from wirelaw.impl.net.host import LiveHost
from wirelaw.impl.net.tcp_sockets import TcpSocket
from wirelaw.impl.runtime.errors import UserError

BLOCK = 1 << 20
REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Url:
    """An http URL, taken apart. `target` is what stands in the request line."""

    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> "Url":
        """`text` as a URL; `UserError` naming what is wrong with it."""
        try:
            parts = urlsplit(text)
            port = parts.port or 80
        except ValueError as error:
            raise UserError(f"{text!r} is no URL ({error}); give one like http://10.0.2.2:8000/page") from None
        if parts.scheme != "http":
            raise UserError(f"{text!r}: only http:// URLs can be fetched so far; TLS comes with a later release")
        if not parts.hostname:
            raise UserError(f"{text!r} names no host; give a URL like http://10.0.2.2:8000/page")
        return cls(parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


@dataclass(frozen=True, slots=True)
class Response:
    """Status line and headers; `length` is the body's announced length in octets, or None."""

    url: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    length: int | None

    def header(self, name: str) -> str:
        """The value of a header, or nothing."""
        return next((v for n, v in self.headers if n == name.lower()), "")


def get(
    host: LiveHost, url: str, on_body: Callable[[bytes], None], timeout: float = 30.0, on_response: Callable[[Response], None] | None = None
) -> Response:
    """Fetch `url`, following redirects; the final body goes to `on_body` in pieces. `OSError` and `UserError` as they come."""
    for _ in range(REDIRECTS):
        response = _get_once(host, url, on_body, timeout, on_response)
        location = response.header("location")
        if response.status not in {301, 302, 303, 307, 308} or not location:
            return response
        url = urljoin(url, location)
    raise UserError(f"{url}: more than {REDIRECTS} redirects; the server sends us in a circle")


def _get_once(
    host: LiveHost, url: str, on_body: Callable[[bytes], None], timeout: float, on_response: Callable[[Response], None] | None
) -> Response:
    wanted = Url.parse(url)
    stream = host.socket()
    stream.settimeout(timeout)
    with stream:
        stream.connect((wanted.host, wanted.port))
        machine = h11.Connection(h11.CLIENT)
        authority = wanted.host if wanted.port == 80 else f"{wanted.host}:{wanted.port}"
        request = h11.Request(
            method="GET",
            target=wanted.target,
            headers=[("Host", authority), ("User-Agent", "wirelaw"), ("Accept", "*/*"), ("Connection", "close")],
        )
        stream.sendall((machine.send(request) or b"") + (machine.send(h11.EndOfMessage()) or b""))
        try:
            return _read(url, machine, stream, on_body, on_response)
        except h11.RemoteProtocolError as error:
            raise OSError(f"the server does not speak HTTP/1.1, or stopped in the middle ({error})") from None


def _read(
    url: str, machine: h11.Connection, stream: TcpSocket, on_body: Callable[[bytes], None], on_response: Callable[[Response], None] | None
) -> Response:
    response: Response | None = None
    for event in _events(machine, stream):
        if isinstance(event, h11.Response):
            headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers)
            length = next((int(v) for n, v in headers if n == "content-length"), None)
            response = Response(url, event.status_code, event.reason.decode("latin-1"), headers, length)
            if on_response is not None:
                on_response(response)
        elif isinstance(event, h11.Data) and response is not None and response.status < 300:
            on_body(bytes(event.data))
    assert response is not None
    return response


def _events(machine: h11.Connection, stream: TcpSocket) -> Iterator[h11.Event]:
    while True:
        event = machine.next_event()
        if event is h11.NEED_DATA:
            data = stream.recv(BLOCK)
            if not data and machine.their_state is h11.SEND_RESPONSE and not machine.trailing_data[0]:
                raise OSError("the server closed the connection without an answer")
            machine.receive_data(data)
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return
        elif not isinstance(event, type):
            yield event
