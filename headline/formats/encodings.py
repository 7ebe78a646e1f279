"""Detection of the encoding of a text, and of files that are not text.

Only the first bytes are examined. A byte order mark decides. Without one, the text is
decoded with each encoding used for Chinese text, and the one that gives the most
everyday characters wins. UTF-8 is preferred if it is nearly as good, because text
hardly ever fits UTF-8 by chance.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import cache

AUTO = "auto"  # an encoding to be detected

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its prefix
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# If two are equally good, the first one wins.
_CANDIDATES = ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be")
_ENOUGH = 0.75  # lowest share of everyday characters in a text
_NEARLY = 0.9  # of the best share is enough for UTF-8, perhaps with broken bytes
_ASCII = frozenset(range(0x20, 0x7F)) | set(b"\t\n\v\f\r")

_WORKBOOK = "an Excel workbook: give it a name that ends in .xlsx"
_OLD_OFFICE = (
    "an old Excel or Word file, or one with a password: save it as .xlsx or CSV"
)
_ARCHIVE = "a {} archive: unpack it first"
_MAGIC = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLD_OFFICE),
    (b"%PDF-", "a PDF document: save its text"),
    (b"{\\rtf", "an RTF document: save it as plain text"),
    (b"PAR1", "a Parquet file: give it a name that ends in .parquet"),
    (b"ARROW1", "an Arrow file: convert it to Parquet"),
    (b"SQLite format 3\0", "an SQLite database: export a table as CSV"),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE.format("zstd")),
    (b"BZh", _ARCHIVE.format("bzip2")),
    (b"\xfd7zXZ\0", _ARCHIVE.format("xz")),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE.format("7z")),
    (b"Rar!\x1a\x07", _ARCHIVE.format("RAR")),
    (b"\x1f\x8b", _ARCHIVE.format("gzip")),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
)
_ZIPPED = (
    (b"xl/", _WORKBOOK),
    (b"word/", "a Word document: save it as plain text"),
    (b"ppt/", "a PowerPoint file: save its text"),
    (b"opendocument.spreadsheet", "an OpenDocument table: save it as CSV UTF-8"),
    (b"opendocument.text", "an OpenDocument text: save it as plain text"),
    (b"", _ARCHIVE.format("zip")),
)


def binary_kind(head: bytes) -> str | None:
    """Returns the kind of a binary file and what to do with it; None for text.

    Args:
        head: the first bytes of the file.
    """
    if head.startswith(b"PK\x03\x04"):
        return next(what for mark, what in _ZIPPED if mark in head)
    return next((what for magic, what in _MAGIC if head.startswith(magic)), None)


def detect_encoding(head: bytes) -> str | None:
    """Returns the name of the Python codec for the text; None if none fits.

    The codec may decode a byte order mark as a character of the text.

    Args:
        head: the first bytes of the text; the last character may be incomplete.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    fits = _decodes(head, "utf-8")
    if (fits and b"\0" not in head) or _is_broken_utf8(head):
        return "utf-8"
    shares = {name: _everyday_share(head, name) for name in _CANDIDATES}
    best = max(_CANDIDATES, key=shares.__getitem__)
    if shares[best] < _ENOUGH:
        return "utf-8" if fits else None
    return "utf-8" if shares["utf-8"] >= _NEARLY * shares[best] else best


def undecodable_share(text: str) -> float:
    """Returns the share of U+FFFD in a text decoded with "replace"."""
    return text.count("\ufffd") / len(text) if text else 0.0


def _decodes(head: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _is_broken_utf8(head: bytes) -> bool:
    """Tells whether a text is UTF-8 with some invalid bytes.

    In another encoding, three bytes are hardly ever a valid UTF-8 character by chance.
    """
    text = head.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(character >= "\u0800" for character in text) - broken
    return broken > 0 and whole >= 3 and 2 * whole >= broken


def _everyday_share(head: bytes, encoding: str) -> float:
    """Returns the share of characters that are common in everyday Chinese text."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if not text:
        return 0.0
    return sum(map(_weight, text)) / len(text)


@cache
def _weight(character: str) -> float:
    """Returns how typical of everyday text a character is, from -1 to 1."""
    code = ord(character)
    if code in _ASCII or character in _everyday_hanzi() or character in _PUNCTUATION:
        return 1.0
    kind = unicodedata.category(character)
    if character == "\ufffd" or kind in ("Cc", "Cn", "Co", "Cs"):
        return -1.0
    # Any text may have a few rare hanzi and signs of other scripts.
    return 0.3 if kind[0] in "LNPSZ" and code < 0x3400 else 0.0


_PUNCTUATION = frozenset(
    "　、。《》「」『』【】〔〕〈〉…—～·‘’“”℃‰±×÷°㎡①②③④⑤"
) | frozenset(map(chr, range(0xFF01, 0xFF5F)))


@cache
def _everyday_hanzi() -> frozenset[str]:
    """The most frequent hanzi: level 1 of GB 2312-80 (3,755) and of Big5 (5,401)."""
    simplified = _decoded_rows("gb2312", range(0xB0, 0xD8), range(0xA1, 0xFF))
    trail = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    traditional = _decoded_rows("big5", range(0xA4, 0xC7), trail)
    return frozenset(simplified) | frozenset(traditional)


def _decoded_rows(
    encoding: str, leads: range, trails: range | tuple[int, ...]
) -> Iterator[str]:
    for lead in leads:
        for trail in trails:
            character = bytes((lead, trail)).decode(encoding, "ignore")
            if len(character) == 1 and "\u4e00" <= character <= "\u9fff":
                yield character


_DOCUMENT = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<doc\b[^>]*>", re.IGNORECASE)


def documents_kind(text: str) -> str | None:
    """Returns the kind of a text that contains many documents; else None.

    Args:
        text: the text, or its beginning.
    """
    if _DOCUMENT.match(text):
        return (
            "a collection of <doc> elements: save it as a .txt file if it is LCSTS, "
            "else turn it into CSV or JSON Lines with one row a document"
        )
    if re.match(r'\s*(?:\[\s*)?\{\s*"[^"\n]{1,80}"\s*:', text):
        return "JSON: save it as .json, or as .jsonl with one object in each line"
    return None
