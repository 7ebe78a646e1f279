"""Makes the picture of the page for the README.

python -m tests.browser.picture MODEL_DIR ARTICLE.txt PICTURE.png
"""

import sys
from pathlib import Path
from shutil import which

from playwright.sync_api import ViewportSize, sync_playwright

from tests.serving.running import serving

WIDTH, HEIGHT = 1000, 760


def main(model: str, article: str, picture: str) -> None:
    """Writes the headlines of an article on the page, and points at a character."""
    with (
        serving("--workers", "1", model=Path(model)) as server,
        sync_playwright() as run,
    ):
        browser = run.chromium.launch(executable_path=which("chromium"))
        size: ViewportSize = {"width": WIDTH, "height": HEIGHT}
        page = browser.new_page(viewport=size, locale="zh-CN")
        page.goto(f"http://{server.host}:{server.port}/")
        page.fill("#article", Path(article).read_text("utf-8").strip())
        page.fill("#number", "3")
        page.click("#write")
        page.wait_for_selector("#headlines .trace span")
        page.hover("#headlines .trace span:nth-child(4)")
        page.screenshot(path=picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
