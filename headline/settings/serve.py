"""Settings of ``headline serve``."""

from collections.abc import Iterable
from dataclasses import dataclass

from headline.settings.base import Check, Config, Range, Words, setting

_ADDRESS, _LOAD, _LIMITS = "Address", "Under load", "Limits"
_FILES = "Files"
_POSITIVE = Range(above=0)


@dataclass(frozen=True, kw_only=True)
class ServeConfig(Config):
    """The address of the server, what it accepts, and how long it waits."""

    section = "serve"

    host: str = setting(
        "127.0.0.1",
        "Address to listen on; any but this machine's own needs --api-keys or"
        " --no-auth.",
        group=_ADDRESS,
        level="basic",
        unit="address",
    )
    port: int = setting(
        8000,
        "Port to listen on (0: any free one, which is printed).",
        group=_ADDRESS,
        level="basic",
        range=Range(low=0, high=65535),
    )
    url_prefix: str = setting(
        "",
        "Path under which a reverse proxy serves the page and the API, such as"
        " /headline.",
        group=_ADDRESS,
        unit="path",
    )
    trust_proxy: bool = setting(
        False,
        "Accept any Host header, and take the client's address and scheme from the"
        " headers of a reverse proxy.",
        group=_ADDRESS,
    )
    allow_origin: Words = setting(
        (),
        "Let pages of this origin call the API, such as https://cms.example.com;"
        " repeat the option for more.",
        group=_ADDRESS,
        unit="origin",
    )
    auth: bool = setting(
        True,
        "Refuse to listen on another address than this machine's own without keys.",
        group=_ADDRESS,
    )
    max_wait: float = setting(
        5.0,
        "Longest time that an article waits for others to be searched with.",
        group=_LOAD,
        unit="ms",
        range=Range(low=0, high=10_000),
    )
    queue_size: int = setting(
        1024,
        "Number of articles that may wait; further requests are refused at once.",
        group=_LOAD,
        unit="articles",
        range=Range(low=1, high=1_000_000),
    )
    timeout: float = setting(
        30.0,
        "Longest time until a request is answered; then it leaves the queue.",
        group=_LOAD,
        unit="seconds",
        range=_POSITIVE,
    )
    grace: float = setting(
        30.0,
        "Longest time between SIGTERM and the end, in which accepted requests are"
        " answered.",
        group=_LOAD,
        unit="seconds",
        range=Range(low=1),
    )
    max_texts: int = setting(
        500,
        "Most articles of one request; a stream or a file may have any number.",
        group=_LIMITS,
        unit="articles",
        range=Range(low=1, high=1_000_000),
    )
    max_characters: int = setting(
        200_000,
        "Longest article.",
        group=_LIMITS,
        unit="characters",
        range=Range(low=1, high=100_000_000),
    )
    max_body: float = setting(
        10.0,
        "Largest body of a request that is neither a stream nor a file.",
        group=_LIMITS,
        unit="MB",
        range=_POSITIVE,
    )
    max_file: float = setting(
        500.0,
        "Largest file that can be sent.",
        group=_LIMITS,
        unit="MB",
        range=_POSITIVE,
    )
    max_connections: int = setting(
        1000,
        "Most open connections; further ones are closed with status 503.",
        group=_LIMITS,
        range=Range(low=1, high=1_000_000),
    )
    client_timeout: float = setting(
        20.0,
        "Longest time that a client may take to send a request's head or its next"
        " piece, or to take a piece of the answer.",
        group=_LIMITS,
        unit="seconds",
        range=_POSITIVE,
    )
    keep_hours: float = setting(
        24.0,
        "Time after which the result of a file is removed.",
        group=_FILES,
        unit="hours",
        range=_POSITIVE,
    )
    keep_bytes: float = setting(
        2000.0,
        "Most room for files and their results; the oldest results are removed first.",
        group=_FILES,
        unit="MB",
        range=_POSITIVE,
    )

    def _checks(self) -> Iterable[Check]:
        prefix = self.url_prefix
        is_path = not prefix or (prefix[0] == "/" and prefix.strip("/") != "")
        is_plain = all(part.isascii() and part.isprintable() for part in prefix)
        yield "url_prefix", is_path and is_plain, "a path such as /headline"
        few = self.max_texts <= self.queue_size
        yield "max_texts", few, f"1 to {self.queue_size} (queue_size)"
        whole = all(map(_is_origin, self.allow_origin))
        yield "allow_origin", whole, "origins such as https://cms.example.com"


def _is_origin(text: str) -> bool:
    scheme, found, host = text.partition("://")
    return bool(found and host) and scheme in ("http", "https") and "/" not in host
