"""A browser, if there is one: ``make test-browser`` runs these tests."""

from collections.abc import Callable, Iterator
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.running import Running, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium, as Debian installs it; the tests are skipped without it."""
    playwright = pytest.importorskip(
        "playwright.sync_api",
        reason="playwright is missing: pip install -e '.[serving-tests]'",
    )
    path = which("chromium")
    if path is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with serving("--workers", "1", "--queue-size", "4", "--max-texts", "4") as running:
        yield running


Open = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[Open]:
    """Opens the page of a server; nothing may go wrong or elsewhere on it."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(server: Running, **options: Any) -> "Page":
        context = browser.new_context(**{"locale": "zh-CN", **options})
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        home = f"http://{server.host}:{server.port}/"

        def check(address: str) -> None:
            if not address.startswith((home, f"blob:{home}")):
                wrong.append(f"a request to {address}")

        page.on("request", lambda request: check(request.url))
        page.on("pageerror", lambda error: wrong.append(f"an error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))

        def logged(message: Any) -> None:
            # What the server refuses is logged too, and is no mistake of the page.
            is_refused = "Failed to load resource" in message.text
            if message.type == "error" and not is_refused:
                wrong.append(message.text)

        page.on("console", logged)
        page.goto(home + server.prefix.lstrip("/"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
