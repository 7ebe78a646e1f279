"""``Connection``: uvicorn's, with limits on open connections and on slow clients."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from headline.serving.answers import to_json
from headline.serving.problems import MEDIA_TYPE, fields

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9})(?=\r|\Z)", re.IGNORECASE)
# What may come in any number, or is answered in another way.
_UNUSUAL = re.compile(
    rb"x-ndjson|\r\n(?:transfer-encoding|expect|connection|origin):", re.I
)
SPARE = 64  # connections above the limit that are still told why they are closed
INVALID = "this is no valid HTTP request; see /openapi.json"


Refuse = Callable[[], bytes | None]


def connection_class(
    most: int, patience: float, paths: Sequence[str], refuse: Refuse
) -> type[H11Protocol]:
    """Returns the class of the connections of a server.

    Args:
        most: connections that may be open.
        patience: seconds that the head of a request may take.
        paths: where requests go that need room in the queue.
        refuse: returns the whole answer to such a request if there is no room.
    """
    begins = tuple(f"POST {path} HTTP/1.1\r\n".encode() for path in paths)
    limits = {"most": most, "patience": patience, "begins": begins}
    limits["refuse"] = staticmethod(refuse)
    return type("LimitedConnection", (Connection,), limits)


class Connection(H11Protocol):
    """A connection with a client.

    Attributes:
        most, patience: see ``connection_class``.
    """

    most: int
    patience: float
    begins: tuple[bytes, ...]  # the first lines of requests that need room
    refuse: Refuse

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts to wait for a request."""
        super().connection_made(transport)
        self._waiting: asyncio.TimerHandle | None = None
        self._lost = self.loop.create_future()
        if len(self.connections) > self.most + SPARE:
            return transport.abort()
        state = {
            "connections": self.connections.__len__,
            "abort": transport.abort,
            "lost": self._lost,
        }
        self.app_state = {**self.app_state, **state}
        self._watch_head()
        return None

    def data_received(self, data: bytes) -> None:
        """Takes what the client sends."""
        if self._is_refused(data):
            return
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
        if not self._lost.done():
            self._lost.set_result(None)

    def _is_refused(self, data: bytes) -> bool:
        """Refuses a whole request, if there is no room for it.

        A server that is asked for four times what it can do refuses three times as many
        requests as it answers. This takes a tenth of the time of parsing one.
        """
        if not data.startswith(self.begins) or self._is_in_use():
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None or int(length[1]) != len(body) or _UNUSUAL.search(head):
            return False
        if (answer := self.refuse()) is None:
            return False
        self._unset_keepalive_if_required()
        self._stop_waiting()
        self.transport.write(answer)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        return True

    def _is_in_use(self) -> bool:
        """Tells whether a request is read or answered, or the connection ends."""
        is_begun = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
        return bool(is_begun) or self._is_answering() or self.transport.is_closing()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch_head(self) -> None:
        """Closes the connection unless the head of a request is complete in time."""
        if self._is_answering() or self.transport.is_closing():
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
