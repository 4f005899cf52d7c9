"""Files of other hosts, fetched on a client's word, and what is sent to them: never inside of our own network.

Who asks us to talk to a host may mean a machine that only we can reach. So its name is resolved once, every address
that it has must be a public one, and the connection goes to the very address that was looked at, so that a second
answer of a name server changes nothing. Files are fetched only from hosts on the list of the setting FETCH_HOSTS
(empty: nothing is), and the same is asked again at every redirect. Webhooks are sent to any host of the internet, and
inside of the network to those of the setting WEBHOOK_HOSTS; no redirect is followed. Bytes and time are bounded.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from labeling.errors import InvalidValue

MOST_BYTES = 32 * 1024 * 1024
MOST_REDIRECTS = 3
MOST_S = 15.0
MOST_URL = 4096
#: Of sending: how much of an answer is read, and how long connecting and all of it may take.
MOST_ANSWER_BYTES = 64 * 1024
SEND_S = 10.0
SEND_CONNECT_S = 3.0
_CHUNK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
#: Addresses that stand for others: translated (RFC 6052, RFC 8215), tunnelled (6to4, Teredo) or compatible IPv4.
_STANDING_FOR_OTHERS = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)
#: Special by IANA's registries, and global to some versions of Python.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "100.64.0.0/10",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "fec0::/10",
    )
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


class NotFetched(Exception):
    """The file was not fetched, or nothing was sent; the text says why, and repeats nothing of the address."""


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system knows them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFetched("its host is not known") from error
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def connected(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to an address (never a name)."""
    return socket.create_connection((address, port), timeout=seconds)


def is_public(text: str) -> bool:
    """Whether an address is one of the internet: none of this machine, of a private network, of a link, of many,
    reserved, or one that stands for another address."""
    try:
        address: Address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped is not None
        or "%" in text
        or address.is_site_local
        or any(address in network for network in _STANDING_FOR_OTHERS)
    ):
        return False
    if any(address.version == network.version and address in network for network in _SPECIAL):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Talks to other hosts. `hosts` are names, or names with a port; *.example.org is every host below example.org."""

    hosts: Sequence[str] = ()
    most_bytes: int = MOST_BYTES
    most_s: float = MOST_S
    connect_s: float = MOST_S
    resolve: Resolve = resolved
    connect: Connect = connected
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @contextlib.contextmanager
    def line(self, url: str, until_s: float) -> Iterator[tuple[http.client.HTTPConnection, str]]:
        """A connection to the host of an address, and the path to ask it for; it is hung up when the time is over.

        Raises:
            NotFetched: the host may not be talked to, or does not answer as it should.
        """
        scheme, host, port, target = self._allowed(url)
        address = self._address(host, port)
        try:
            raw = self.connect(address, port, min(self._left(until_s), self.connect_s))
        except OSError as error:
            raise NotFetched("its host does not answer") from error
        connection = http.client.HTTPConnection(host, port)
        connection.sock = raw
        alarm = threading.Timer(self._left(until_s), _hang_up, (connection,))
        alarm.daemon = True
        alarm.start()
        try:
            raw.settimeout(self._left(until_s))
            if scheme == "https":
                secure = self.tls.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
                connection.sock = secure
                secure.do_handshake()
            yield connection, target
            self._left(until_s)  # who is hung up on within a header seems to have ended it
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= until_s:
                raise NotFetched(f"its host takes longer than {self.most_s:g} s") from error
            raise NotFetched("its host does not answer as it should") from error
        finally:
            alarm.cancel()
            connection.close()
            raw.close()

    def _left(self, until_s: float) -> float:
        left = until_s - time.monotonic()
        if left <= 0:
            raise NotFetched(f"its host takes longer than {self.most_s:g} s")
        return left

    def _may(self, host: str, port: int, usual: int) -> bool:
        """Whether a host may be talked to at all."""
        return self._is_listed(host, port, usual)

    def _is_listed(self, host: str, port: int, usual: int) -> bool:
        return any(_matches(known, host, port, usual) for known in self.hosts)

    def _allowed(self, url: str) -> tuple[str, str, int, str]:
        """(scheme, host, port, path with query) of an address that may be fetched."""
        if (
            len(url) > MOST_URL
            or not url.isascii()
            or any(sign <= " " or sign == "\x7f" or sign == "\\" for sign in url)
        ):
            raise NotFetched("its address is none that is fetched here")
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise NotFetched("its address is none that is fetched here") from error
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
            raise NotFetched("only addresses of http and https without a user are fetched here")
        if not self._may(host, port, _PORTS[parts.scheme]):
            raise NotFetched("this server does not fetch from its host; upload the file, or have the host allowed")
        target = parts.path or "/"
        return parts.scheme, host, port, target + (f"?{parts.query}" if parts.query else "")

    def _address(self, host: str, port: int) -> str:
        """The one address that is connected to; all that the host has must be good."""
        literal = host.strip("[]")
        try:
            ipaddress.ip_address(literal.split("%", 1)[0])
            addresses: Sequence[str] = [literal]
        except ValueError:
            addresses = self.resolve(host, port)
        if not addresses or not all(self._is_good(address, host, port) for address in addresses):
            raise NotFetched("its host is not on the internet")
        return addresses[0]

    def _is_good(self, address: str, host: str, port: int) -> bool:
        """Whether an address of a host may be connected to."""
        return is_public(address)


class Fetcher(Visitor):
    """Fetches files."""

    __slots__ = ()

    def fetch(self, url: str) -> bytes:
        """The bytes of a file.

        Raises:
            NotFetched: the host is not on the list or not of the internet; too many bytes or redirects, too slow; or
                the host does not answer as it should.
        """
        until_s = time.monotonic() + self.most_s
        for _ in range(MOST_REDIRECTS + 1):
            with self.line(url, until_s) as (connection, target):
                answered = self._asked(connection, target, until_s)
            if isinstance(answered, bytes):
                return answered
            url = urljoin(url, answered)
        raise NotFetched(f"its host redirects more than {MOST_REDIRECTS} times")

    def _asked(self, connection: http.client.HTTPConnection, target: str, until_s: float) -> bytes | str:
        """What a host answers: the bytes, or where it redirects to."""
        connection.request("GET", target, headers={"Accept": "image/png", "Accept-Encoding": "identity"})
        response = connection.getresponse()
        if response.status in _REDIRECTS:
            location = response.getheader("Location")
            if not location or len(location) > MOST_URL:
                raise NotFetched("its host redirects to nowhere")
            return location
        if response.status != 200:
            raise NotFetched(f"its host answers with status {response.status}")
        if response.getheader("Content-Encoding", "identity") != "identity":
            raise NotFetched("its host sends it packed")
        return self._read(response, until_s)

    def _read(self, response: http.client.HTTPResponse, until_s: float) -> bytes:
        """The body, bounded in bytes and in time: a host may send one byte a second for ever."""
        said = response.getheader("Content-Length", "")
        if said.isascii() and said.isdigit() and (len(said) > 12 or int(said) > self.most_bytes):
            raise NotFetched(f"it is larger than {self.most_bytes} bytes")
        found = bytearray()
        while True:
            chunk = response.read1(_CHUNK)
            if not chunk:
                break
            found += chunk
            if len(found) > self.most_bytes:
                raise NotFetched(f"it is larger than {self.most_bytes} bytes")
            self._left(until_s)
        if response.length:
            raise NotFetched("its host does not send all of it")
        return bytes(found)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending: the host's status, and how long it took."""

    status: int
    duration_ms: int


class Sender(Visitor):
    """Sends to hosts of the internet, and to those on its list wherever they are; no redirect is followed."""

    __slots__ = ()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        """Send a body; of the answer no more than `most_bytes` are read, and none of them is kept.

        Raises:
            NotFetched: the host may not be talked to, is too slow, or does not answer as it should.
        """
        began_s = time.monotonic()
        until_s = began_s + self.most_s
        with self.line(url, until_s) as (connection, target):
            connection.request("POST", target, body=body, headers=dict(headers))
            response = connection.getresponse()
            left = self.most_bytes
            while left > 0 and (chunk := response.read1(min(_CHUNK, left))):
                left -= len(chunk)
                self._left(until_s)
            if left > 0 and response.length:
                raise NotFetched("its host does not send all of its answer")
            return Sent(response.status, round((time.monotonic() - began_s) * 1000))

    def _may(self, host: str, port: int, usual: int) -> bool:
        return True

    def _is_good(self, address: str, host: str, port: int) -> bool:
        return is_public(address) or self._is_inside(host, port)

    def _is_inside(self, host: str, port: int) -> bool:
        # By its port and not by the scheme: who allows a host of the network says which of its ports.
        return any(_matches(known, host, port, 443 if port == 443 else 80) for known in self.hosts)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """End a connection whose time is up, whatever it is waiting for: a host may send a byte of a header a second."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _matches(known: str, host: str, port: int, usual: int) -> bool:
    """Whether an entry of the list is about a host; without a port it is about the scheme's own."""
    name, _, wanted = known.lower().partition(":")
    if port != (int(wanted) if wanted.isdigit() else usual):
        return False
    return host == name or (name.startswith("*.") and host.endswith(name[1:]) and len(host) > len(name) - 1)


def sender() -> Sender:
    """The sender of this installation."""
    return Sender(hosts=settings.WEBHOOK_HOSTS, most_bytes=MOST_ANSWER_BYTES, most_s=SEND_S, connect_s=SEND_CONNECT_S)


def fetcher() -> Fetcher:
    """The fetcher of this installation."""
    return Fetcher(hosts=settings.FETCH_HOSTS)


def fetched(url: str, where: str, by: Fetcher | None = None) -> bytes:
    """The bytes of a file of another host.

    Raises:
        InvalidValue: `where` names one that is not fetched, and why.
    """
    try:
        return (by or fetcher()).fetch(url)
    except NotFetched as error:
        raise InvalidValue(where, f"was not fetched: {error}") from error
