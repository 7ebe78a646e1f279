"""Reads the bodies of requests, up to a limit."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from headline.serving.problems import Problem
from headline.serving.service import ClientGone

MB = 1_000_000
DROPPED = 8  # times the limit: so much is read and dropped, so that a client can listen
JSON, NDJSON = "application/json", "application/x-ndjson"


def media_type(request: Request) -> str:
    """Returns the type of a body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_type(request: Request, *known: str) -> str:
    """Returns the type of a body.

    Raises:
        Problem: it is not one of the known ones (415).
    """
    found = media_type(request)
    if found not in known:
        raise Problem(415, f"send the header Content-Type: {' or '.join(known)}")
    return found


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """Yields the body as it comes.

    Raises:
        ClientGone: the client left before its end.
    """
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise ClientGone from error


async def whole(request: Request, megabytes: float) -> bytes:
    """Returns a body.

    Raises:
        Problem: it is larger (413).
        ClientGone: the client left before its end.
    """
    most, size, kept = int(megabytes * MB), 0, []
    async for piece in pieces(request):
        size += len(piece)
        if size <= most:
            kept.append(piece)
        elif size > DROPPED * most:
            break
    if size > most:
        raise Problem(
            413,
            f"a body may have {megabytes:g} MB; send fewer articles, a stream of "
            "application/x-ndjson, or a file",
        )
    return b"".join(kept)


def lost(request: Request) -> "asyncio.Future[None]":
    """Returns what is done once the connection is lost; see ``Connection``.

    Unlike ``leaving``, it needs no one to read the request.
    """
    known: asyncio.Future[None] | None = request.scope.get("state", {}).get("lost")
    return known or asyncio.get_running_loop().create_future()


async def leaving(request: Request) -> None:
    """Waits until the client closes its connection; its request is complete."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
