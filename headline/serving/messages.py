"""What the server and its worker processes send each other.

A message is its length and its pickle. Both ends are processes of one program, joined
by anonymous pipes, so no one else can send anything.
"""

import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

from headline.bundle import Bundle
from headline.settings.search import DecodeConfig

HEAD = struct.Struct("!Q")  # the length of a message in bytes


@dataclass(frozen=True)
class Search:
    """Write the headlines of an article."""

    text: str
    config: DecodeConfig


@dataclass(frozen=True)
class Score:
    """Tell how likely the model finds a headline."""

    text: str
    headline: str


@dataclass(frozen=True)
class Explain:
    """Tell where the characters of headlines come from.

    Attributes:
        headlines: any texts; None for those that the model writes with ``config``.
    """

    text: str
    headlines: Sequence[str] | None
    config: DecodeConfig


@dataclass(frozen=True)
class Setup:
    """The first message to a worker: the model, and how it searches."""

    bundle: Bundle
    config: DecodeConfig


READY = "ready"  # the answer to it

Work: TypeAlias = Search | Score | Explain


@dataclass(frozen=True)
class Done:
    """The result for an article.

    Attributes:
        body: JSON, ready to be sent to the client.
        error: why the settings allow no headline for this article.
    """

    body: bytes
    error: str | None = None


def packed(message: Any) -> bytes:
    """Returns a message as it is sent."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(body)) + body


def unpacked(body: bytes) -> Any:
    """Returns the message of a body, which came from the other end of our own pipe."""
    return pickle.loads(body)  # noqa: S301


def receive(stream: BinaryIO) -> Any:
    """Waits for a message.

    Raises:
        EOFError: the other end is gone.
    """
    (length,) = HEAD.unpack(_exactly(stream, HEAD.size))
    return unpacked(_exactly(stream, length))


def _exactly(stream: BinaryIO, length: int) -> bytes:
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return body
