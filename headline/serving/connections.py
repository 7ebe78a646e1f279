"""``Connection``: uvicorn's, with limits on open connections and on slow clients."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from headline.serving.answers import to_json
from headline.serving.problems import MEDIA_TYPE, fields

SPARE = 64  # connections above the limit that are still told why they are closed
INVALID = "this is no valid HTTP request; see /openapi.json"


def connection_class(most: int, patience: float) -> type[H11Protocol]:
    """Returns the class of the connections of a server.

    Args:
        most: connections that may be open.
        patience: seconds that the head of a request may take.
    """
    limits = {"most": most, "patience": patience}
    return type("LimitedConnection", (Connection,), limits)


class Connection(H11Protocol):
    """A connection with a client.

    Attributes:
        most, patience: see ``connection_class``.
    """

    most: int
    patience: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts to wait for a request."""
        super().connection_made(transport)
        self._waiting: asyncio.TimerHandle | None = None
        if len(self.connections) > self.most + SPARE:
            return transport.abort()
        state = {"connections": self.connections.__len__, "abort": transport.abort}
        self.app_state = {**self.app_state, **state}
        self._watch_head()
        return None

    def data_received(self, data: bytes) -> None:
        """Takes what the client sends."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Starts to wait for the next request."""
        super().on_response_complete()
        self._stop_waiting()  # uvicorn limits the time until the next byte comes

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the waiting."""
        super().connection_lost(exc)
        self._stop_waiting()

    def _watch_head(self) -> None:
        """Closes the connection unless the head of a request is complete in time."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.is_closing():
            self._stop_waiting()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.patience, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def send_400_response(self, msg: str) -> None:
        """Answers bytes that are no HTTP, unless an answer has already begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = to_json(fields(400, INVALID))
            headers = [
                ("content-type", MEDIA_TYPE),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            events: list[Any] = [
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ]
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
