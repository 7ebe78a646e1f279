"""Templates: in the package, filled in safely, and dense between their tags."""

import tomllib
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from headline.pages.chart import Chart, line_chart
from headline.pages.rendering import asset, fill
from tests.markup import parse

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "headline" / "pages"
ASSETS = sorted(path.name for path in (PAGES / "assets").iterdir())


def page(story: str) -> str:
    picture = line_chart(Chart(title="t", xs=[1], lines={"a": [1.0]}))
    return fill(
        "find_lr.html", proposal=0.1, story=story, picture=picture, made_with=""
    )


def test_a_page_is_whole() -> None:
    text = page("")
    assert text.startswith(
        '<!doctype html><html lang="zh"><head><meta charset="utf-8">'
    )
    assert text.endswith("</body></html>\n") and "{" not in parse(text).text


def test_a_value_never_becomes_a_tag() -> None:
    hostile = "</p><script>alert('&\"')</script>"
    tags = parse(page(hostile))
    assert "script" not in tags.seen and hostile in tags.text


def test_a_value_keeps_its_line_breaks_between_its_tags() -> None:
    assert parse(page("<b>\n</b>")).text.count("<b>\n</b>") == 1


def test_line_breaks_between_the_tags_of_a_template_are_left_out() -> None:
    assert "</h1><p" in page("") and "</p><p></p><figure>" in page("")


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="unsure"):
        fill("explain.html", pointer=True)


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_stands_in_a_page_as_it_is_and_cannot_end_its_element(
    name: str,
) -> None:
    text = asset(name)
    assert isinstance(text, Markup) and text == (PAGES / "assets" / name).read_text(
        "utf-8"
    )
    assert not any(end in text.lower() for end in ("</", "<!--"))


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_has_a_template_that_uses_it(name: str) -> None:
    templates = [path.read_text("utf-8") for path in PAGES.glob("templates/*.html")]
    assert any(f'asset("{name}")' in template for template in templates)


def test_an_installed_package_has_the_templates_and_assets() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    packed = {
        found
        for package, patterns in data.items()
        for pattern in patterns
        for found in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    needed = {*PAGES.glob("templates/*"), *PAGES.glob("assets/*")}
    assert needed and needed <= packed
