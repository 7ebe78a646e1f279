"""A format is one file in ``headline/formats/registered``."""

import io
import sys
from pathlib import Path

import pytest

from headline.errors import CorpusError
from headline.formats import registered, registry
from headline.formats.registry import Added, New, format_of, is_text, table_format_of
from headline.formats.tables import CorpusFormat, find_pair_columns, open_table

# Each row is a headline and an article, with "=" between them.
MODULE = """
from contextlib import contextmanager

from headline.formats.layout import Layout
from headline.formats.records import Row
from headline.formats.registry import FileFormat, register


class Equations(FileFormat):
    suffixes = (".equal",)

    def layout(self, file, how):
        names = ("title", "content")
        return Layout(path=file.path, header=names, columns=names)

    def rows(self, stream, layout, start=None, note=None):
        for number, line in enumerate(stream, start=1):
            values = line.decode().rstrip().split("=")
            yield Row(number, dict(zip(layout.columns, values)), None)

    @contextmanager
    def writer(self, stream, layout, new, file=None):
        def write(row, added):
            stream.write("=".join([*row.values.values(), *added.cells]) + "\\n")

        yield write


register(Equations())
"""


@pytest.fixture
def equations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the module of a format beside the others, as long as a test runs."""
    format_of(Path("a.csv"))  # all others are known
    (tmp_path / "equations.py").write_text(MODULE, "utf-8")
    monkeypatch.setattr(registry, "_formats", [*registry._formats])
    monkeypatch.setattr(registered, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{registered.__name__}.equations", False)
    registry._load.cache_clear()


@pytest.mark.usefixtures("equations")
def test_a_new_format_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "news.EQUAL"
    path.write_text("降准=央行今日\n降息=央行昨日\n", "utf-8")
    output = io.StringIO()

    with open_table(path, CorpusFormat()) as table:
        assert find_pair_columns(table, CorpusFormat()) == ("content", "title")
        (block,) = table.blocks(["content"])
        new = New(["headline"], ["headline"])
        with table.format.writer(output, table.layout, new) as write:
            for row in table:
                write(row, Added(["新"], {"headline": "新"}))

    assert list(block.texts[0]) == ["央行今日", "央行昨日"]
    assert output.getvalue() == "降准=央行今日=新\n降息=央行昨日=新\n"


@pytest.mark.usefixtures("equations")
def test_a_new_format_is_named_where_a_name_is_of_none() -> None:
    with pytest.raises(
        CorpusError, match=r"\.json, .*\.equal, or one of these and \.gz, "
    ):
        table_format_of(Path("news.xyz"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.txt", True), ("A.TXT.GZ", True), ("a.csv", False), ("a", False)],
)
def test_text_is_known_by_its_name(name: str, text: bool) -> None:
    assert is_text(Path(name)) == text
