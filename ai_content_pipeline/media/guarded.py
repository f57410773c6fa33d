"""Sockets to where files may be fetched from (`hosts.HostRule`), judged when they are opened."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

import httpcore

from ai_content_pipeline.errors import BadMedia
from ai_content_pipeline.media.hosts import HostRule

Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`, in the order to try them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.NetworkBackend):
    """Opens sockets to addresses that were checked, and to nothing else.

    The name is resolved once; one forbidden address among its addresses forbids them all; the socket is
    opened to the checked address itself, so that no second look-up can change it; TLS still checks the
    name. `resolve` and `plain` are injected for tests.
    """

    def __init__(
        self, allow: HostRule, resolve: Resolve = resolve, plain: httpcore.NetworkBackend | None = None
    ) -> None:
        self._allow = allow
        self._resolve = resolve
        self._plain = plain or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._checked(host, port):
            try:
                stream = self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            if ip_address(stream.get_extra_info("server_addr")[0]) != ip_address(address):
                stream.close()
                raise BadMedia(f"{host} was connected to another address than the one that was checked")
            return stream
        raise failure

    def _checked(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(self._resolve(host, port))
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        forbidden = self._allow.forbidden(host, port)
        for address in addresses:
            if forbidden(ip_address(address)):
                raise BadMedia(f"{host} is at {address}, where nothing is fetched from")
        return addresses
