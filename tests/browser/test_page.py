"""The editor's page in a real browser: each thing an editor does."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headline.generation.explain import UNSURE
from tests.corpora import bracket_pairs, write_pairs
from tests.serving.running import Running, serving
from tests.serving.test_access import checksum
from tests.serving.test_server import Paused

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PAIRS = bracket_pairs(12, seed=9)
ARTICLE = PAIRS[0][1]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
Open = Callable[..., "Page"]


def write(page: "Page", text: str = ARTICLE) -> None:
    """Puts an article in, and waits for its headlines and their origin."""
    page.fill("#article", text)
    page.click("#write")
    page.wait_for_selector("#headlines .trace span")


def headlines(page: "Page") -> list[str]:
    inputs = page.locator("#headlines input")
    return [inputs.nth(at).input_value() for at in range(inputs.count())]


def status(page: "Page", text: str | re.Pattern[str]) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#status")).to_contain_text(text)


def clipboard(page: "Page") -> str:
    found: str = page.evaluate("navigator.clipboard.readText()")
    return found


def check_access(page: "Page") -> None:
    """Runs axe-core, which must find nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    assert [(one["id"], [n["html"] for n in one["nodes"]]) for one in found] == []


# --- an article -----------------------------------------------------------------------


def test_an_article_gets_several_headlines(server: Running, open_page: Open) -> None:
    page = open_page(server)
    status(page, "还没有标题")
    page.click("#write")
    status(page, "文章还是空的")
    write(page)
    found = headlines(page)
    options = {"num_headlines": 5, "diversity": 0.5}
    asked = {"text": ARTICLE, "options": options}
    known = server.post("/v1/headlines", asked).json["results"][0]["headlines"]
    assert found == [one["text"] for one in known] and len(set(found)) > 1
    status(page, f"有 {len(found)} 个标题")
    facts = page.locator("#headlines .facts").all_inner_texts()
    assert [one.split()[0] for one in facts] == [str(len(text)) for text in found]


def test_requirements_hold(server: Running, open_page: Open) -> None:
    page = open_page(server)
    page.fill("#number", "2")
    page.fill("#max-length", "9")
    page.fill("#prefix", "快讯")
    write(page)
    found = headlines(page)
    assert 1 <= len(found) <= 2
    assert all(text.startswith("快讯") and len(text) <= 9 for text in found)


def test_a_selected_word_must_be_there_or_must_not(
    server: Running, open_page: Open
) -> None:
    page = open_page(server)
    page.fill("#article", ARTICLE)
    assert page.is_disabled("#add-must")
    word = ARTICLE[2:4]

    def select() -> None:
        page.evaluate("() => document.querySelector('#article').focus()")
        page.evaluate(
            "() => document.querySelector('#article').setSelectionRange(2, 4)"
        )

    select()
    page.click("#add-must")
    assert page.inner_text("#must").startswith(word)
    write(page)
    assert headlines(page) and all(word in text for text in headlines(page))
    select()
    page.click("#add-avoid")
    assert page.text_content("#must") == "" and page.inner_text("#avoid").startswith(
        word
    )
    with page.expect_response("**/v1/explain"):
        page.click("#write")
    assert headlines(page) and not any(word in text for text in headlines(page))
    page.click(f"button[aria-label='去掉“{word}”']")
    assert page.text_content("#avoid") == ""


def test_the_article_shows_where_a_character_comes_from(
    server: Running, open_page: Open
) -> None:
    page = open_page(server)
    write(page)
    span = page.locator("#headlines .trace").first.locator("span.copied").first
    span.hover()
    assert page.inner_text("#source .most") == span.inner_text()
    # By keyboard: the character behind the cursor.
    field = page.locator("#headlines input").first
    field.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#source .most") == field.input_value()[1]


def test_an_edited_headline_is_checked_as_one_types(
    server: Running, open_page: Open
) -> None:
    page = open_page(server)
    write(page)
    field = page.locator("#headlines input").first
    field.fill("天地C919飞5万米")
    page.wait_for_selector("#headlines .facts .lacking")
    facts = page.locator("#headlines .facts").first.inner_text()
    assert facts.startswith("10 字") and "C919 5万" in facts
    marked = page.locator("#headlines .trace").first.locator(".lacking")
    assert "".join(marked.all_inner_texts()) == "C9195万"
    field.fill("天地")
    page.wait_for_selector("#headlines .facts .lacking", state="detached")
    assert page.locator("#headlines .facts").first.inner_text() == "2 字"


def test_names_and_unsure_characters_are_marked(
    server: Running, open_page: Open
) -> None:
    page = open_page(server)
    assert not page.is_visible("#marks")
    article = "石家庄海关，在中国查获三批象牙"
    write(page, article)
    page.locator("#headlines input").first.fill("中国海关在大阪")
    page.wait_for_selector("#headlines .facts .lacking")
    facts = page.locator("#headlines .facts").first.inner_text()
    assert facts == "7 字 · 文章里没有：大阪 · 文章里只有零散的字：中国海关"
    trace = page.locator("#headlines .trace").first
    marked = trace.locator(".lacking").all_inner_texts()
    assert "".join(marked) == "中国海关大阪"
    asked = {"text": article, "headlines": ["中国海关在大阪"]}
    tokens = server.post("/v1/explain", asked).json["headlines"][0]["tokens"]
    unsure = [one["text"] for one in tokens if one["probability"] < UNSURE]
    assert trace.locator(".unsure").all_inner_texts() == unsure != []
    assert page.is_visible("#marks")
    check_access(page)


def test_headlines_are_copied_by_a_key_or_a_button(
    server: Running, open_page: Open
) -> None:
    page = open_page(server)
    write(page)
    page.keyboard.press("Alt+Digit2")
    page.wait_for_function("document.body.innerText.includes('已复制')")
    assert clipboard(page) == headlines(page)[1]
    page.locator("#headlines input").first.fill("改过的")
    page.locator("#headlines button").first.click()
    page.wait_for_function("navigator.clipboard.readText().then(t => t === '改过的')")


def test_all_can_be_done_by_keyboard(server: Running, open_page: Open) -> None:
    page = open_page(server)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tab-article"
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#panel-file") and not page.is_visible("#panel-article")
    page.keyboard.press("ArrowLeft")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "article":
            break
    page.keyboard.insert_text(ARTICLE)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#headlines input")
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#headlines') !== null"):
            break
    assert page.evaluate("document.activeElement.value") == headlines(page)[0]


def test_a_dropped_file_becomes_the_article(server: Running, open_page: Open) -> None:
    page = open_page(server)
    page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.items.add(new File([text], "a.txt", {type: "text/plain"}));
          const drop = new DragEvent("drop", {dataTransfer: data, cancelable: true});
          document.querySelector("#article").dispatchEvent(drop);
        }""",
        ARTICLE,
    )
    page.wait_for_function("document.querySelector('#article').value !== ''")
    assert page.input_value("#article") == ARTICLE


# --- today's work ---------------------------------------------------------------------


def test_todays_work_stays_until_it_is_cleared(
    server: Running, open_page: Open
) -> None:
    page = open_page(server)
    write(page)
    page.locator("#headlines input").first.fill("改过的标题")
    page.wait_for_function(
        "document.querySelector('#today').innerText === '改过的标题'"
    )
    page.reload()
    assert page.input_value("#article") == ""
    page.click("#today button")
    assert page.input_value("#article") == ARTICLE
    assert headlines(page)[0] == "改过的标题"
    page.click("#clear")
    assert page.is_visible("#today-none")
    page.uncheck("#keep")
    write(page)
    assert page.is_visible("#today-none")
    assert page.evaluate("localStorage.getItem('headline-today')") is None
    page.reload()
    assert not page.is_checked("#keep")


def test_yesterdays_work_goes(server: Running, open_page: Open) -> None:
    page = open_page(server)
    write(page)
    page.evaluate(
        """() => {
          const kept = JSON.parse(localStorage.getItem("headline-today"));
          localStorage.setItem("headline-today", JSON.stringify({...kept, day: "x"}));
        }"""
    )
    page.reload()
    assert page.is_visible("#today-none")
    assert ARTICLE[:5] not in page.evaluate("localStorage.getItem('headline-today')")


# --- states ---------------------------------------------------------------------------


@contextmanager
def stopped(server: Running) -> Iterator[None]:
    """Stops the whole server, as if it were gone."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_working_can_be_stopped(server: Running, open_page: Open) -> None:
    page = open_page(server)
    page.fill("#article", ARTICLE)
    with Paused(server):
        page.click("#write")
        status(page, "正在拟标题")
        page.click("#stop")
        status(page, "已停下")
    write(page)
    assert not page.is_visible("#stop")


def test_a_full_queue_is_told_and_waited_for(server: Running, open_page: Open) -> None:
    page = open_page(server)
    answer = {
        "status": 429,
        "headers": {"Retry-After": "1", "Content-Type": "application/problem+json"},
        "body": '{"detail": "full"}',
    }
    page.route("**/v1/headlines", lambda route: route.fulfill(**answer), times=1)
    page.fill("#article", ARTICLE)
    page.click("#write")
    status(page, "1 秒后自动再试")
    page.wait_for_selector("#headlines .trace span")


def test_a_lost_server_and_a_mistake_are_told(server: Running, open_page: Open) -> None:
    page = open_page(server)
    page.fill("#article", ARTICLE)
    page.route("**/v1/headlines", lambda route: route.abort(), times=1)
    page.click("#write")
    page.wait_for_selector("#problem >> text=连不上服务器")
    page.fill("#prefix", "天" * 40)
    page.fill("#max-length", "3")
    page.click("#write")
    page.wait_for_selector("#problem >> text=服务器不接受：options: ")
    status(page, "还没有标题")
    page.fill("#prefix", "")
    write(page)
    assert not page.is_visible("#problem")
    page.fill("#prefix", "天" * 40)
    page.click("#write")
    page.wait_for_selector("#problem >> text=服务器不接受：options: ")
    # The headlines of before stay, and nothing says that there are none.
    assert headlines(page) and page.text_content("#status") == ""


def test_a_key_is_asked_for(tmp_path: Path, open_page: Open) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"desk {checksum('secret')}\n")
    options: list[str | Path] = ["--api-keys", keys, "--url-prefix", "/titles"]
    with serving("--workers", "1", *options) as server:
        page = open_page(server)
        page.fill("#key", "wrong")
        page.click("#key-form button")
        page.wait_for_selector("#key-form:not([hidden])")
        page.fill("#key", "secret")
        page.click("#key-form button")
        write(page)
        assert headlines(page) and not page.is_visible("#key-form")
        assert page.evaluate("JSON.stringify(localStorage)").count("secret") == 0
        page.click("#tab-file")
        page.set_input_files("#file", write_pairs(tmp_path / "a.csv", PAIRS))
        page.click("#file-form .main")
        page.wait_for_selector("#download:visible")
        with page.expect_download() as download:
            page.click("#download")
        assert download.value.suggested_filename == "a_headlines.csv"


def test_hostile_text_stays_text(server: Running, open_page: Open) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    place = {"text": hostile, "start": 0, "end": 28}
    headline = {"text": hostile, "score": 0, "unsupported": [place], "style": hostile}
    token = {"text": hostile, "copied": True, "places": [{"place": 0, "weight": 1}]}
    explained = {
        "source": [hostile],
        "unread": hostile,
        "headlines": [{**headline, "tokens": [token]}],
    }
    page = open_page(server)
    found = {"results": [{"headlines": [headline]}]}
    page.route("**/v1/headlines", lambda route: route.fulfill(json=found))
    page.route("**/v1/explain", lambda route: route.fulfill(json=explained))
    page.fill("#article", hostile)
    write(page, hostile)
    page.hover("#headlines .trace span")
    page.evaluate("() => document.querySelector('#article').setSelectionRange(0, 19)")
    page.locator("#article").dispatch_event("select")
    page.click("#add-must")
    told = {"detail": hostile}
    page.route("**/v1/headlines", lambda one: one.fulfill(status=422, json=told))
    page.click("#write")
    page.wait_for_selector("#problem:visible")
    assert page.locator("main img, main script").count() == 0
    for where in ("#source", "#today", "#problem"):
        assert hostile in page.inner_text(where)
    assert hostile[:19] in page.inner_text("#must")


# --- files ----------------------------------------------------------------------------


def test_a_file_comes_back_with_its_headlines(
    server: Running, open_page: Open, tmp_path: Path
) -> None:
    path = write_pairs(tmp_path / "news.csv", PAIRS)
    page = open_page(server)
    page.fill("#prefix", "快讯")
    page.click("#tab-file")
    page.set_input_files("#file", path)
    page.click("#file-form .main")
    page.wait_for_selector("#download:visible")
    assert f"{len(PAIRS)} 篇文章" in page.inner_text("#file-status")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "news_headlines.csv"
    rows = Path(download.value.path()).read_text("utf-8").splitlines()
    assert len(rows) == len(PAIRS) + 1 and all(",快讯" in row for row in rows[1:])


def test_a_file_can_be_cancelled(
    server: Running, open_page: Open, tmp_path: Path
) -> None:
    path = write_pairs(tmp_path / "long.csv", PAIRS * 2000)
    page = open_page(server)
    page.click("#tab-file")
    page.set_input_files("#file", path)
    page.click("#file-form .main")
    page.wait_for_selector("#file-status >> text=/已完成|排队/")
    with page.expect_response(lambda one: one.request.method == "DELETE"):
        page.click("#cancel")
    page.wait_for_selector("#file-status >> text=已取消")
    assert not page.is_visible("#cancel") and not page.is_visible("#download")


def test_an_unusable_file_says_why(
    server: Running, open_page: Open, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "a.exe").write_text("x")
    page = open_page(server)
    page.click("#tab-file")
    for name, text in (("a.csv", "column"), ("a.exe", "服务器不接受")):
        page.set_input_files("#file", tmp_path / name)
        page.click("#file-form .main")
        page.wait_for_selector(f"#file-problem:visible >> text={text}")


# --- languages, widths, access --------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "title"), [("zh-CN", "拟标题"), ("en-GB", "Headlines"), ("fr", "拟标题")]
)
def test_the_page_speaks_what_the_browser_asks_for(
    server: Running, open_page: Open, locale: str, title: str
) -> None:
    page = open_page(server, locale=locale)
    assert page.inner_text("h1") == page.title() == title
    if title == "Headlines":
        shown = page.locator("body").inner_text().replace("中文", "")
        assert re.findall(r"[\u4e00-\u9fff]+", shown) == []
    page.click("#language")
    assert page.inner_text("h1") != title
    page.reload()
    assert page.inner_text("h1") != title  # the choice stays


def test_both_languages_have_the_same_words(server: Running, open_page: Open) -> None:
    page = open_page(server)
    found = page.evaluate(
        """async () => {
          const {WORDS} = await import("./page/words.js");
          return [Object.keys(WORDS.zh), Object.keys(WORDS.en)];
        }"""
    )
    assert found[0] == found[1] != []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "options",
    [{"viewport": {"width": 1280, "height": 800}}, PHONE],
    ids=["desk", "phone"],
)
def test_the_page_is_readable_for_all(
    server: Running, open_page: Open, options: dict[str, Any], scheme: str
) -> None:
    page = open_page(server, color_scheme=scheme, **options)
    check_access(page)
    write(page)
    page.locator("#headlines .trace span").first.hover()
    check_access(page)
    # Nothing is wider than the screen.
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= options["viewport"]["width"]
    page.click("#tab-file")
    check_access(page)
