"""What may be fetched from, and what may not: hardening classes U1 to U6."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast

import httpx
import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.guarded import Guard
from ai_content_pipeline.media.hosts import HostRule, blocked, check_url, origin_of

PUBLIC = HostRule()

NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.255
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1
    198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 fc00::1 fd00:ec2::254 fe80::1
    fec0::1 ff02::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 5f00::1
    64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b::10.0.0.1 64:ff9b:1::8.8.8.8
"""

IS_PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0
    192.167.255.255 192.169.0.0 223.255.255.255 2001:4860:4860::8888 2606:4700::1 2a00:1450::1
    64:ff9b::8.8.8.8
"""


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_addresses_that_are_not_the_public_internet_are_blocked(address: str) -> None:
    """Loopback, private, link-local, CGNAT, metadata and every IPv4 in IPv6 clothing."""
    assert blocked(ip_address(address))


@pytest.mark.parametrize("address", IS_PUBLIC.split())
def test_public_addresses_are_not_blocked(address: str) -> None:
    """The neighbours of the blocked ranges, and NAT64 of a public host (IPv6-only networks need it)."""
    assert not blocked(ip_address(address))


@given(ip_addresses())
def test_nothing_that_python_calls_private_passes(address: IPv4Address | IPv6Address) -> None:
    """Never more lenient than the standard library's own idea of a global address."""
    inner = IPv4Address(int(address) & 0xFFFFFFFF) if str(address).startswith("64:ff9b::") else address
    assert blocked(address) or (inner.is_global and not inner.is_multicast)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://2130706433/x",  # decimal
        "https://0x7f000001/x",
        "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/x",  # octal
        "https://127.1/x",
        "https://127.0.1/x",
        "https://017700000001/x",
        "https://134744072/x",  # 8.8.8.8, but why would anyone write it so
        "https://1.2.3.4.5/x",
        "https://256.1.1.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[::127.0.0.1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://①②⑦.⓪.⓪.①/x",  # Unicode digits
        "https://١٢٧.0.0.1/x",
        "https://127。0。0。1/x",  # ideographic full stops
        "https://127.0.0.1./x",
        "https://localhost/x",
        "https://LOCALHOST/x",
        "https://localhost./x",
        "https://db.localhost/x",
        "https://169.254.169.254/latest/meta-data/",
        "http://fal.media/x",
        "file:///etc/passwd",
        "ftp://fal.media/x",
        "gopher://fal.media/x",
        "jar:https://fal.media/x!/y",
        "unix:///run/docker.sock",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//fal.media/x",
        "/x",
        "x.png",
        "",
        "https://",
        "https:///x",
        "https://:443/x",
        "https://fal.media@127.0.0.1/x",
        "https://user:password@fal.media/x",
        "https://fal.media%2f@evil.example/x",
        "https://fal.media\\@evil.example/x",
        "https:\\\\fal.media\\x",
        "https://fal.media/x\r\nAuthorization: Key k",
        "https://fal.media\r\n.evil.example/x",
        "https://fal.media/\x00",
        " https://fal.media/x",
        "https://fal.media/x\n",
        "https://fal media/x",
        "https://fal.media%00.evil.example/x",
        "https://fal.media:0/x",
        "https://fal.media:99999/x",
        "https://fal.media:port/x",
        "https://[::1/x",
    ],
)
def test_urls_that_are_refused_before_anyone_is_asked(url: str) -> None:
    """Every way of writing a forbidden address, a foreign scheme or two addresses in one."""
    with pytest.raises(BadMedia) as refusal:
        check_url(url, PUBLIC)
    assert "password@" not in refusal.value.message
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "https://v3.fal.media/files/b/x.png",
        "https://replicate.delivery/a/b.mp4?sig=1%2F2#t",
        "HTTPS://FAL.MEDIA/x",
        "https://8.8.8.8/x",
        "https://[2606:4700::1]:8443/x",
        "https://bücher.example/ü b.png",
        "https://xn--bcher-kva.example/x",
    ],
)
def test_ordinary_urls_pass(url: str) -> None:
    """The vendors' file hosts, public literals and international names."""
    assert check_url(url, PUBLIC).scheme == "https"


def test_the_override_is_allowed_and_nothing_beside_it() -> None:
    """An allowed origin is scheme, host and port: its neighbour port is as forbidden as ever."""
    allow = HostRule.of("http://127.0.0.1:4010", "http://localhost:4010/fal", None)
    check_url("http://127.0.0.1:4010/files/b/x.png", allow)
    check_url("http://localhost:4010/delivery/x.png", allow)
    for url in ("http://127.0.0.1:4011/", "https://127.0.0.1:4010/", "http://127.0.0.2:4010/"):
        with pytest.raises(BadMedia):
            check_url(url, allow)


def test_an_origin_spells_out_its_port() -> None:
    """The usual port and the same port written are one origin."""
    assert origin_of(httpx.URL("https://x.example")) == origin_of(httpx.URL("https://X.example:443/a"))
    assert origin_of(httpx.URL("https://x.example:80")) != origin_of(httpx.URL("https://x.example"))


class Opened:
    """A socket that nobody is at the other end of."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def getpeername(self) -> tuple[str, int]:
        return (self.peer, 443)


class Network:
    """Connects to nothing and remembers where to; `peers` are what getpeername shows, errors are raised."""

    def __init__(self, **peers: str | Exception) -> None:
        self.peers = peers
        self.asked: list[str] = []
        self.opened: list[Opened] = []

    def __call__(self, address: tuple[str, int], seconds: float) -> socket.socket:
        host = address[0]
        self.asked.append(host)
        peer = self.peers.get(host, host)
        if isinstance(peer, Exception):
            raise peer
        self.opened.append(Opened(peer))
        return cast(socket.socket, self.opened[-1])


def test_the_socket_is_opened_to_the_checked_address_itself() -> None:
    """The name is looked up once, and what was checked is what is connected to: no rebinding."""
    looked_up: list[str] = []
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])

    def rebinding(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return next(answers)

    network = Network()
    Guard(PUBLIC, rebinding, network).dial("evil.example", 443, 1.0)
    assert network.asked == ["8.8.8.8"]
    assert looked_up == ["evil.example"]


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["::1"]]
)
def test_one_forbidden_address_forbids_the_name(addresses: list[str]) -> None:
    """A name with a public and a private address is refused whole, before any socket is opened."""
    network = Network()
    with pytest.raises(BadMedia, match=r"evil\.nip\.io is at"):
        Guard(PUBLIC, lambda host, port: addresses, network).dial("evil.nip.io", 443, 1.0)
    assert network.asked == []


def test_a_socket_that_ended_elsewhere_is_refused() -> None:
    """Whatever the network did: the peer must be the address that was checked."""
    network = Network(**{"8.8.8.8": "10.0.0.1"})
    with pytest.raises(BadMedia, match="another address"):
        Guard(PUBLIC, lambda host, port: ["8.8.8.8"], network).dial("x.example", 443, 1.0)
    assert network.opened[0].closed


def test_the_next_address_is_tried() -> None:
    """A host whose first address does not answer is reached by its second."""
    network = Network(**{"8.8.8.8": ConnectionRefusedError("refused")})
    guard = Guard(PUBLIC, lambda host, port: ["8.8.8.8", "8.8.4.4"], network)
    guard.dial("x.example", 443, 1.0)
    assert network.asked == ["8.8.8.8", "8.8.4.4"]


def test_who_hangs_up_at_once_is_passed_over() -> None:
    """A connection that is gone before its other end can be asked for is closed, and the next one tried."""

    class Gone(Opened):
        def getpeername(self) -> tuple[str, int]:
            raise OSError("not connected")

    network = Network()
    gone = [Gone("8.8.8.8")]

    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        return cast(socket.socket, gone[-1]) if address[0] == "8.8.8.8" else network(address, seconds)

    Guard(PUBLIC, lambda host, port: ["8.8.8.8", "8.8.4.4"], connect).dial("x.example", 443, 1.0)
    assert gone[0].closed
    assert network.asked == ["8.8.4.4"]
    with pytest.raises(OSError, match="not connected"):
        Guard(PUBLIC, lambda host, port: ["8.8.8.8"], connect).dial("x.example", 443, 1.0)


def test_a_plain_http_override_stays_on_this_machine() -> None:
    """The sandbox's name that suddenly resolves elsewhere is not spoken to."""
    allow = HostRule.of("http://sandbox.test:4010")
    Guard(allow, lambda host, port: ["127.0.0.1"], Network()).dial("sandbox.test", 4010, 1.0)
    for address in ("10.0.0.1", "8.8.8.8"):
        with pytest.raises(BadMedia):
            Guard(allow, lambda host, port, a=address: [a], Network()).dial("sandbox.test", 4010, 1.0)


def test_an_https_override_may_be_private() -> None:
    """A company's gateway has a private address; only that gateway is exempt."""
    guard = Guard(HostRule.of("https://gateway.test"), lambda host, port: ["10.0.0.1"], Network())
    guard.dial("gateway.test", 443, 1.0)
    with pytest.raises(BadMedia):
        guard.dial("gateway.test", 8443, 1.0)


def test_a_name_that_does_not_resolve_may_mend() -> None:
    """No DNS is trouble of the network, not of the file."""

    def no_dns(host: str, port: int) -> list[str]:
        raise OSError("Temporary failure in name resolution")

    with pytest.raises(OSError, match="cannot be resolved"):
        Guard(PUBLIC, no_dns, Network()).dial("x.example", 443, 1.0)
    for name in ("a..b.example", f"{'x' * 64}.example"):  # no name that DNS could have
        with pytest.raises(OSError, match="cannot be resolved"):
            Guard(PUBLIC).dial(name, 443, 1.0)
    with pytest.raises(OSError, match="has no address"):
        Guard(PUBLIC, lambda host, port: [], Network()).dial("x.example", 443, 1.0)
