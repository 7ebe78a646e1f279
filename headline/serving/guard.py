"""What stands before the routes: who may ask, how slow a client may be, what is told.

Each class is an ASGI application around another one.
"""

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headline.serving.bodies import NDJSON
from headline.serving.keys import Keys
from headline.serving.problems import Problem
from headline.serving.service import ClientGone, Service

LOCAL = ("localhost", "127.0.0.1", "[::1]")
OPEN = ("/healthz", "/readyz", "/openapi.json")  # they need no key, nor does the page
SEARCHES = ("/v1/headlines", "/v1/explain", "/v1/score")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# The page runs its own files only, and nothing may put it into a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
GONE = 499  # in the metrics only: the client closed its connection


class Prefixed:
    """Serves an application under a path.

    Args:
        app: knows nothing of the path.
        prefix: such as ``/headline``; "" for none.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if not self._prefix or scope["type"] != "http":
            return await self._app(scope, receive, send)
        if path == self._prefix:
            # The addresses of the page are relative to its folder.
            return await _redirect(f"{self._prefix}/", send)
        if not path.startswith(f"{self._prefix}/"):
            problem = Problem(404, f"there is nothing here; see {self._prefix}/")
            return await problem.response()(scope, receive, send)
        below = path[len(self._prefix) :]
        await self._app({**scope, "path": below, "raw_path": None}, receive, send)
        return None


async def _redirect(place: str, send: Send) -> None:
    headers = [(b"location", place.encode("ascii")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True)
class Access:
    """Who may ask for what.

    Attributes:
        keys: one of them is needed; None if anyone may ask.
        any_host: accept any Host header, as behind a reverse proxy.
        origins: of foreign pages that may call the API.
    """

    keys: Keys | None
    any_host: bool
    origins: frozenset[str]

    def check(self, scope: Scope) -> None:
        """Refuses a request that may not be made.

        Raises:
            Problem: it has no valid key (401), or comes from a foreign page (400).
        """
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""))
        self._check_origin(scope, headers)
        path: str = scope["path"]
        is_open = path in OPEN or not path.startswith(("/v1/", "/metrics"))
        if self.keys is None or is_open or scope["method"] == "OPTIONS":
            return
        if self.keys.owner(headers.get("authorization", "")) is None:
            raise Problem(401, "send a valid key in the header Authorization: Bearer")

    def _check_host(self, host: str) -> None:
        # A foreign page can have its own name lead to this machine (DNS rebinding).
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if not self.any_host and name.lower() not in LOCAL:
            raise Problem(
                400,
                "this server answers under the name localhost only; behind a reverse "
                "proxy start it with --trust-proxy",
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or scope["method"] in SAFE_METHODS:
            return
        own = origin.partition("://")[2] == headers.get("host")
        if not own and origin not in self.origins:
            raise Problem(
                400, "pages of this origin need --allow-origin to call the server"
            )


class Guard:
    """Checks each request, and ends those whose clients are gone or too slow.

    Args:
        app: the routes.
        service: has the limits and the metrics.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, service: Service, access: Access) -> None:
        self._app, self._service, self._access = app, service, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begin = monotonic()
        client = _Client(receive, send, self._service.limits.client_timeout)
        try:
            await self._answer(scope, client)
        except ClientGone:
            client.status = GONE
            abort(scope)
        finally:
            route = getattr(scope.get("route"), "path", None) or _route(scope)
            metrics = self._service.metrics
            metrics.requests.labels(route, str(client.status)).inc()
            metrics.latency.labels(route).observe(monotonic() - begin)
        return None

    async def _answer(self, scope: Scope, client: "_Client") -> None:
        try:
            self._check(scope)
            await self._app(scope, client.receive, client.send)
        except Problem as problem:
            if client.has_begun:
                raise ClientGone from problem
            await problem.response()(scope, client.receive, client.send)
        except ClientGone:
            raise
        except asyncio.CancelledError:  # the grace period of SIGTERM is over
            await self._give_up(scope, client, 503, "the server is ending; try again")
        except Exception as error:
            self._service.tell(_told(error))
            told = "this is a mistake of the server; its log has more"
            await self._give_up(scope, client, 500, told)

    async def _give_up(
        self, scope: Scope, client: "_Client", status: int, detail: str
    ) -> None:
        """Tells the client what is wrong, or breaks off an answer that has begun."""
        if client.has_begun:
            raise ClientGone
        problem = Problem(status, detail)
        await problem.response()(scope, client.receive, client.send)

    def _check(self, scope: Scope) -> None:
        open_now = connections(scope)
        if open_now > self._service.limits.max_connections:
            raise Problem(503, "too many connections are open; try again later", 1)
        self._access.check(scope)
        # Refused here, a request costs least: there may be many of them.
        if scope["path"] in SEARCHES and not _is_stream(scope):
            self._service.check_room()


def _route(scope: Scope) -> str:
    """Returns the route of a request that did not come so far."""
    return scope["path"] if scope["path"] in SEARCHES else "other"


def _is_stream(scope: Scope) -> bool:
    """Tells whether a request has any number of articles; it waits for room."""
    return Headers(scope=scope).get("content-type", "").startswith(NDJSON)


class _Client:
    """A client, who may be slow only up to a limit."""

    def __init__(self, receive: Receive, send: Send, patience: float) -> None:
        self._receive, self._send, self._patience = receive, send, patience
        self._is_read = False  # whether its request is complete
        self.has_begun = False  # whether its answer has begun
        self.status = 0

    async def receive(self) -> Message:
        if self._is_read:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408, f"nothing came for {self._patience:g} seconds; send it again"
            ) from None
        self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun, self.status = True, message["status"]
            headers = MutableHeaders(raw=message["headers"])
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        try:
            async with asyncio.timeout(self._patience):
                await self._send(message)
        except TimeoutError:
            raise ClientGone from None


def _told(error: Exception) -> str:
    """Returns where an error was raised; its message might quote an article."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.filename}, line {frame.lineno}"


def connections(scope: Scope) -> int:
    """Returns the number of open connections; see ``connections.Connection``."""
    count: Callable[[], int] | None = _state(scope).get("connections")
    return 0 if count is None else count()


def abort(scope: Scope) -> None:
    """Closes the connection without waiting for the client to take what was sent."""
    close: Callable[[], None] | None = _state(scope).get("abort")
    if close is not None:
        close()


def _state(scope: Scope) -> dict[str, Any]:
    state: dict[str, Any] = scope.get("state", {})
    return state
