"""Which hosts a file may be fetched from.

URLs come from vendors' answers and from users' files, so they may point anywhere: at this machine, at
the network it stands in, at a cloud's metadata service. An address is judged when it is connected to,
not when its name is read: a name that resolves to something else a moment later gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from ai_content_pipeline.errors import BadMedia

#: Every IPv4 range that is not the public internet (IANA special-purpose registry), and Azure's
#: platform address, which looks public. Written out, because `is_global` changed between Pythons.
_BLOCKED_V4 = tuple(
    IPv4Network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
)
#: Global unicast is all there is of IPv6, less protocol assignments (Teredo among them), 6to4 and
#: documentation. IPv4-mapped, IPv4-compatible, unique-local and link-local addresses lie outside it.
_GLOBAL_V6 = IPv6Network("2000::/3")
_BLOCKED_V6 = tuple(IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
#: NAT64's well-known prefix. On an IPv6-only network every IPv4 host is reached through it, so it is
#: judged by the IPv4 address inside.
_NAT64 = IPv6Network("64:ff9b::/96")

#: Where clouds keep the secrets of a machine, AWS's (both), Alibaba's and Azure's, and link-local as a whole.
_METADATA: tuple[IPv4Network | IPv6Network, ...] = (
    *(IPv4Network(block) for block in ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32")),
    *(IPv6Network(block) for block in ("fe80::/10", "fd00:ec2::254/128")),
)

_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}")

Judge = Callable[[IPv4Address | IPv6Address], bool]


def blocked(address: IPv4Address | IPv6Address) -> bool:
    """Whether `address` is anything but the public internet."""
    if isinstance(address, IPv4Address):
        return any(address in block for block in _BLOCKED_V4)
    if address in _NAT64:
        return blocked(IPv4Address(int(address) & 0xFFFFFFFF))
    return address not in _GLOBAL_V6 or any(address in block for block in _BLOCKED_V6)


def _metadata(address: IPv4Address | IPv6Address) -> bool:
    """Whether a cloud tells its machines their secrets at `address`."""
    if isinstance(address, IPv6Address) and (inner := address.ipv4_mapped or _inside(address)):
        return _metadata(inner)
    return any(address in block for block in _METADATA)


def _inside(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


@dataclass(frozen=True, slots=True)
class HostRule:
    """Https to public addresses; and, whatever their address, the user's own `origins`.

    An origin is ``scheme://host:port`` as `origin_of` writes it. One with plain http is only ever
    connected to over loopback: it is how the sandbox is reached. `private` allows every address but those
    of clouds' metadata, and plain http: for a service in a network of its own.
    """

    origins: frozenset[str] = frozenset()
    private: bool = False

    @classmethod
    def of(cls, *urls: str | None) -> HostRule:
        """The rule that also allows where the vendors' overrides point; None is no override."""
        return cls(frozenset(origin_of(httpx.URL(url)) for url in urls if url))

    def forbidden(self, host: str, port: int) -> Judge:
        """What may not be connected to under this name: the user's own hosts may be private."""
        if f"https://{host}:{port}" in self.origins:
            return lambda address: False
        if f"http://{host}:{port}" in self.origins:
            return lambda address: not address.is_loopback
        return _metadata if self.private else blocked


def origin_of(url: httpx.URL) -> str:
    """``https://fal.media:443``: scheme, host and port, which decide who is talked to."""
    return f"{url.scheme}://{url.raw_host.decode('ascii')}:{port_of(url)}"


def port_of(url: httpx.URL) -> int:
    return {"http": 80, "https": 443}.get(url.scheme, 0) if url.port is None else url.port


def check_url(text: str, allow: HostRule) -> httpx.URL:
    """`text` as the URL it will be fetched by: what can be said against it without asking DNS.

    Raises BadMedia. The address behind a name is judged at connect time (`guarded.Guard`).
    """
    if any(char < " " or char in "\x7f\\" for char in text):
        raise BadMedia("its URL holds a control character or a backslash")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise BadMedia("its URL cannot be parsed") from error
    if url.scheme not in ("https", "http") or not url.host:
        raise BadMedia("its URL is not an https:// address")
    if url.userinfo or not 0 < port_of(url) < 65536:
        raise BadMedia("its URL names a user, a password or an impossible port")
    if origin_of(url) in allow.origins:
        return url
    if url.scheme != "https" and not allow.private:
        raise BadMedia(f"its URL is plain http://{url.host}; only https is fetched")
    _check_host(url.raw_host.decode("ascii"), _metadata if allow.private else blocked)
    return url


def _check_host(host: str, forbidden: Judge) -> None:
    if ":" in host:
        address: IPv4Address | IPv6Address = _literal(host)
    elif _NUMERIC.fullmatch(host.rpartition(".")[2]):
        address = _literal(host)  # 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to some parsers
    elif forbidden is blocked and (host == "localhost" or host.endswith((".", ".localhost"))):
        raise BadMedia(f"its URL points at {host[:100]}, which is not a public host")
    elif not _HOST.fullmatch(host):
        raise BadMedia("its URL has an impossible host name")
    else:
        return
    if forbidden(address):
        raise BadMedia(f"its URL points at {address}, which is not a public address")


def _literal(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host)
    except ValueError as error:
        raise BadMedia("its URL writes an address in an unusual way") from error
