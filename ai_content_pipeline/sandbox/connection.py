"""One HTTP/1.1 connection: requests in, answers out, or whatever the script wants in their place."""

from __future__ import annotations

import asyncio
import socket
import struct

import h11

from .messages import Request, Response

_CHUNK = 256 * 1024
_NO_LINGER = struct.pack("ii", 1, 0)


class Connection:
    """Keeps the connection alive as HTTP/1.1 wants it. Raises ConnectionError when the client left."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._h11 = h11.Connection(h11.SERVER)
        self._method = ""

    async def head(self) -> Request | None:
        """The next request without its body; None when the client has closed the connection."""
        if self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        self._method = event.method.decode("ascii")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        return Request(self._method, event.target.decode("latin-1"), headers)

    async def body(self) -> bytes:
        chunks = []
        while isinstance(event := await self._event(), h11.Data):
            chunks.append(bytes(event.data))
        return b"".join(chunks)

    async def _event(self) -> object:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            if self._h11.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._h11.receive_data(await self._reader.read(_CHUNK))
        return event

    async def send(self, response: Response, date: str, *, chunk: int = 0, pause: float = 0.0) -> bool:
        """Send it all, `chunk` bytes at a time if given. Returns whether another request may follow."""
        self._write(self._started(response, date))
        body = b"" if self._method == "HEAD" else response.body
        for start in range(0, len(body), chunk or _CHUNK):
            self._write(h11.Data(data=body[start : start + (chunk or _CHUNK)]))
            await self._writer.drain()
            if pause:
                await asyncio.sleep(pause)
        self._write(h11.EndOfMessage())
        await self._writer.drain()
        return self._h11.our_state is h11.DONE

    async def send_part(self, response: Response, date: str, keep: float) -> None:
        """Promise the whole body and send the part `keep` of it; the caller closes."""
        self._write(self._started(response, date))
        part = response.body[: int(len(response.body) * keep)]
        if part:
            self._write(h11.Data(data=part))
        await self._writer.drain()

    def _started(self, response: Response, date: str) -> h11.Response:
        headers = [("Date", date), *response.headers.items()]
        if response.status != 204:
            headers += [("Content-Type", response.content_type), ("Content-Length", str(len(response.body)))]
        return h11.Response(status_code=response.status, headers=headers)

    def _write(self, event: h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage) -> None:
        self._writer.write(self._h11.send(event) or b"")

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()
