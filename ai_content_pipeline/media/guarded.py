"""Sockets to where files may be fetched from (`hosts.HostRule`), judged when they are opened."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.hosts import HostRule

Resolve = Callable[[str, int], Iterable[str]]
#: Opens a socket to an address and a port, within so many seconds.
Connect = Callable[[tuple[str, int], float], socket.socket]


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`, in the order to try them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """Opens sockets to addresses that were checked, and to nothing else.

    The name is resolved once; one forbidden address among its addresses forbids them all; the socket is
    opened to the checked address itself, so that no second look-up can change it; TLS still checks the
    name. `resolve` and `connect` are injected for tests.
    """

    allow: HostRule
    resolve: Resolve = resolve
    connect: Connect = socket.create_connection

    def dial(self, host: str, port: int, seconds: float) -> socket.socket:
        """A socket to `host`, whose timeout is `seconds`.

        Raises:
            BadMedia: nothing is fetched from there.
            OSError: no address of it answers.
        """
        failure = OSError(f"{host} has no address")
        for address in self._checked(host, port):
            try:
                opened = self.connect((address, port), seconds)
            except OSError as error:
                failure = error
                continue
            try:
                peer = opened.getpeername()[0]
            except OSError as error:  # it hung up at once
                opened.close()
                failure = error
                continue
            if ip_address(peer) != ip_address(address):
                opened.close()
                raise BadMedia(f"{host} was connected to another address than the one that was checked")
            return opened
        raise failure

    def _checked(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(self.resolve(host, port))
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could have
            raise OSError(f"{host} cannot be resolved") from error
        forbidden = self.allow.forbidden(host, port)
        for address in addresses:
            if forbidden(ip_address(address)):
                raise BadMedia(f"{host} is at {address}, where nothing is fetched from")
        return addresses
