"""Encodings are detected from a text's first bytes, and what is no text is refused."""

import codecs
import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.formats.encodings import binary_kind, detect_encoding, documents_kind
from tests.reading import LINE, PAIR, fault, read, write

SIMPLIFIED = (
    "水利部和应急管理部今天联合发布通知，要求各地做好暑期防汛工作，加强水库巡查。"
    "记者从会上获悉，全国铁路预计发送旅客1050万人次，同比增长12.5%（新华社）。"
    "“我们将继续努力！”他说。《办法》自2026年1月1日起施行；详情请见www.example.com。"
)
TRADITIONAL = (
    "氣象局今日表示，颱風將於週末接近臺灣東部海面，各地應嚴防豪雨。"
    "經濟部長說，去年出口總值達4,500億美元，較前年成長百分之十；「我們樂觀看待。」"
)
CODECS = {
    SIMPLIFIED: ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16-le", "utf-16-be"],
    TRADITIONAL: ["utf-8", "big5", "gb18030", "utf-16-le", "utf-16-be"],
}
MARKED = ["utf-8-sig", "utf-16", "utf-32"]
CASES = [(text, codec) for text, codecs in CODECS.items() for codec in codecs]


@given(st.sampled_from(CASES), st.integers(0, 50), st.integers(10, 60), st.booleans())
def test_a_text_is_read_as_it_was_written(
    case: tuple[str, str], begin: int, length: int, is_cut: bool
) -> None:
    """Wherever it begins, and though its last character may be cut."""
    whole, codec = case
    text = whole[begin : begin + length]
    written = text.encode(codec)

    found = detect_encoding(written[: len(written) - is_cut])

    assert found is not None
    assert written.decode(found).removeprefix("\ufeff") == text


@pytest.mark.parametrize("codec", MARKED)
def test_a_byte_order_mark_decides(codec: str) -> None:
    for text in (SIMPLIFIED, "abc", "一"):
        found = detect_encoding(text.encode(codec))
        assert found is not None
        assert text.encode(codec).decode(found) == "\ufeff" + text


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_a_few_broken_bytes_change_nothing(codec: str) -> None:
    written = SIMPLIFIED.encode(codec)
    broken = written[:41] + b"\xff" + written[41:90] + b"\xff\x80" + written[90:]

    assert detect_encoding(broken) == codec


def test_ascii_and_nothing_are_utf8() -> None:
    for text in (b"", b"title,content\n", b"\0", b"a\x02\0\x01b", "\u0416é".encode()):
        assert detect_encoding(text) == "utf-8"
    assert detect_encoding("title,content\n".encode("utf-16-le")) == "utf-16-le"


@given(st.binary(min_size=100, max_size=400))
def test_any_bytes_have_a_codec_or_none(content: bytes) -> None:
    found = detect_encoding(content)

    assert found is None or codecs.lookup(found)


def test_noise_is_no_text() -> None:
    noise = gzip.compress(SIMPLIFIED.encode() * 9)[10:]

    assert detect_encoding(noise) is None


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv"])
def test_a_table_is_read_whatever_its_encoding(
    tmp_path: Path, name: str, codec: str
) -> None:
    told: list[str] = []
    delimiter = "\t" if name.endswith("tsv") else ","
    content = f"标题,正文\n{LINE}".replace(",", delimiter)

    assert read(write(tmp_path / name, content, codec), note=told.append) == [PAIR]

    assert len(told) == (codec != "utf-8-sig")
    assert all(f"{name}: detected encoding " in line for line in told)


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    content = f"title,content\n{LINE}".encode()
    (tmp_path / "packed.csv").write_bytes(gzip.compress(content))
    (tmp_path / "plain.csv.gz").write_bytes(content)

    for name in ("packed.csv", "plain.csv.gz"):
        assert read(tmp_path / name) == [PAIR]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "Excel or Word"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PAR1", "Parquet"),
        (b"\x28\xb5\x2f\xfd", "damaged"),
        (b"BZh91AY", "damaged"),
        (b"\x28\xb5\x2f\xfe" + bytes(9), "no text"),
        (b"ARROW1", "Arrow"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (bytes(range(128, 256)) * 9, "no text"),
    ],
)
def test_what_is_no_text_is_refused_by_its_name(
    tmp_path: Path, content: bytes, named: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)

    assert named in fault(path)


@pytest.mark.parametrize(
    ("member", "named"),
    [("xl/workbook.xml", "Excel workbook"), ("word/x", "Word"), ("a.csv", "zip")],
)
def test_a_zip_file_is_named_by_what_it_holds(
    tmp_path: Path, member: str, named: str
) -> None:
    path = tmp_path / "a.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "x")

    assert named in fault(path)
    assert binary_kind(b"title,content") is None


def test_many_documents_in_one_text_are_known() -> None:
    assert documents_kind(f"\n<doc id=0>\n<summary>{SIMPLIFIED}") is not None
    assert documents_kind('{"title": "降准"}\n') is not None
    assert documents_kind('[\n {"title": "降准"}]\n') is not None
    for text in (SIMPLIFIED, "", "<p>doc</p>", "{央行}", '"央行": 降准', "[1] 央行"):
        assert documents_kind(text) is None
