"""Errors that a client can cause, as problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from headline.serving.answers import to_json

# Their requests may not have been read to the end, so no other can follow.
UNREAD = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Why a request gets no result.

    Args:
        status: of the answer.
        detail: one sentence with the way out.
        retry_after: seconds after which the client may try again.
    """

    def __init__(
        self, status: int, detail: str, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, round(retry_after)))
        if status in UNREAD:
            self.headers["Connection"] = "close"
        if status == HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self) -> Response:
        """Returns the answer to the client."""
        body = to_json(fields(self.status, self.detail))
        return Response(body, self.status, self.headers, media_type=MEDIA_TYPE)

    def raw(self) -> bytes:
        """Returns the answer as it goes over a connection that stays open."""
        response = self.response()
        first = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()
        headers = [name + b": " + value for name, value in response.raw_headers]
        return b"\r\n".join([first, *headers, b"", bytes(response.body)])


def fields(status: int, detail: str) -> Mapping[str, Any]:
    """Returns the problem details of an error."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


class ProblemDetails(BaseModel):
    """The body of an error."""

    type: str = Field(description="Always about:blank: the status says all.")
    title: str
    status: int
    detail: str = Field(description="One sentence, with the way out.")


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the errors of a route, for its description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }
