"""The server: finds who a request is for, lets the script interfere, answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import h11

from . import actions as act
from . import admin, fal, files, replicate
from .accept import LOOPBACK
from .connection import Connection
from .faults import Call
from .media import Media, Renderer, another_format
from .messages import Deferred, Request, Response, json_response
from .routing import Actions, Routed
from .state import State
from .throttle import Turn
from .times import http_date

HOST = "127.0.0.1"

_LIMITS = re.compile("ratelimit-", re.IGNORECASE)

_DRAWN_AFTER = 0.1  # seconds

RECOGNISERS: tuple[Callable[[Request, State], Routed | None], ...] = (
    files.recognise,
    *fal.RECOGNISERS,
    *replicate.RECOGNISERS,
)


class Server:
    """A sandbox on the running event loop."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._renderer = Renderer(state.settings.look)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        state.prepare = self._draw_later

    async def start(self, port: int = 0) -> str:
        """Listen on loopback; 0 picks a free port. Returns the base address. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, HOST, port, backlog=1024)
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._renderer.close()

    def _draw_later(self, media: Media) -> None:
        """Not at once: who is just asking is answered first, as if another machine made the pictures."""
        asyncio.get_running_loop().call_later(_DRAWN_AFTER, self._draw, media)

    def _draw(self, media: Media) -> None:
        if self._server is not None and self._server.is_serving():
            self._renderer.start(media)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(Connection(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, connection: Connection) -> None:
        try:
            while await self._exchange(connection):
                pass
        except (ConnectionError, h11.RemoteProtocolError):
            pass  # the client left, or does not speak HTTP: nothing to tell it
        finally:
            connection.close()

    async def _exchange(self, connection: Connection) -> bool:
        """One request and its answer. Returns whether another may follow."""
        head = await connection.head()
        if head is None:
            return False
        routed = self._route(head)
        if routed and self.state.faults.early(routed.call):
            connection.reset()
            return False
        request = replace(head, body=await connection.body())
        if routed is None:
            response = _stranger(request) or admin.answer(self.state, request)
            return await connection.send(response, http_date(self.state.clock.now()))
        # The body may tell more of what the request is about: its prompt.
        return await self._answer(connection, request, self._route(request) or routed)

    def _route(self, request: Request) -> Routed | None:
        if _stranger(request) or request.path.startswith(admin.PREFIX):
            return None
        found = (recognise(request, self.state) for recognise in RECOGNISERS)
        return next((routed for routed in found if routed), None)

    async def _answer(self, connection: Connection, request: Request, routed: Routed) -> bool:
        call = routed.call
        self.state.counts[call.vendor, call.route] += 1
        actions = self.state.faults.take(call)
        if any(isinstance(action, act.Reset) for action in actions):
            connection.reset()
            return False
        turns = self._turns(call, actions)
        refused = any(turn.refused for turn in turns)
        response = self._instead(request, call, actions, refused=refused) or await self._served(
            request, routed, actions
        )
        for turn in turns:
            kept = {name: value for name, value in response.headers.items() if not _LIMITS.match(name)}
            response = replace(response, headers={**kept, **turn.headers})
        for action in actions:
            if isinstance(action, act.Drop):
                return False
            response = await _interfered(response, action)
        date = http_date(self.state.vendor_now(call.vendor))
        return await _sent(connection, response, date, actions)

    async def _served(self, request: Request, routed: Routed, actions: Actions) -> Response:
        reply = routed.serve(request, actions)
        if isinstance(reply, Deferred):
            await asyncio.sleep(reply.seconds)
            reply = reply.answer()
        if reply.media:
            return replace(reply, body=await self._renderer.get(reply.media), media=None)
        return reply

    def _turns(self, call: Call, actions: Actions) -> list[Turn]:
        now = self.state.clock.now()
        limits = [action for action in actions if isinstance(action, act.RateLimit)]
        return [self.state.throttle.turn(call.vendor, limit, now) for limit in limits]

    def _instead(
        self, request: Request, call: Call, actions: Actions, *, refused: bool = False
    ) -> Response | None:
        """The answer of a `Status` action, or above a rate limit: the request is not served at all."""
        action = next((action for action in actions if isinstance(action, act.Status)), None)
        if action is None and refused:
            action = act.Status(code=429)
        if action is None:
            return None
        response = _error(request, call, action)
        if action.retry_after is None:
            return response
        after = str(action.retry_after)
        if after.startswith("date+"):
            after = http_date(self.state.vendor_now(call.vendor) + float(after.removeprefix("date+")))
        return replace(response, headers={**response.headers, "retry-after": after})


def _stranger(request: Request) -> Response | None:
    """Refuse a request for another host: a browser sent here by somebody's page, or a wrong setting."""
    name = request.host.rsplit(":", 1)[0].strip("[]")
    if name in LOOPBACK:
        return None
    return Response(421, b"The sandbox answers to loopback addresses alone.\n", "text/plain")


def _error(request: Request, call: Call, action: act.Status) -> Response:
    code = action.code
    match action.body:
        case "nginx":
            page = f"<html><head><title>{code}</title></head><body><center>nginx</center></body></html>"
            return Response(code, page.encode(), "text/html")
        case "text":
            return Response(code, b"upstream error", "text/plain")
        case "json_string":
            return json_response("error", code)
        case "empty":
            return Response(code)
    if call.route == "download":
        return Response(code, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
    return fal.error(request, code) if call.vendor == "fal" else replicate.problem(code)


_PAGE = b"<!doctype html><html><head><title>Error</title></head><body>Please try again later.</body></html>"


async def _interfered(response: Response, action: act.AnyAction) -> Response:
    """The answer as this action leaves it, after any time the action takes."""
    match action:
        case act.Delay() | act.Hang():
            assert isinstance(action.seconds, float)
            await asyncio.sleep(action.seconds)
        case act.Empty():
            return replace(response, status=200, body=b"")
        case act.Html():
            return Response(200, _PAGE, "text/html")
        case act.Redirect():
            return Response(302, headers={"location": action.url})
        case act.WrongMedia():
            return replace(response, body=another_format(response.body, action.format))
        case act.Cut():
            return replace(response, body=response.body[: int(len(response.body) * action.keep)])
    return response


async def _sent(connection: Connection, response: Response, date: str, actions: Actions) -> bool:
    for action in actions:
        if isinstance(action, act.Truncate):
            await connection.send_part(response, date, action.keep)
            return False
        if isinstance(action, act.Drip):
            return await connection.send(response, date, chunk=action.chunk, pause=action.pause)
    return await connection.send(response, date)


async def serve(
    state: State, port: int, ready: Callable[[str], None], stopped: Callable[[], Awaitable[object]]
) -> None:
    """Serve until what `stopped` returns is done; `ready` is told the base address when it listens."""
    server = Server(state)
    ready(await server.start(port))
    try:
        await stopped()
    finally:
        await server.close()
