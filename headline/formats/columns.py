"""Known names of columns with articles and headlines, in any spelling."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# If a table has several of them, the first in this order is used.
SOURCE_COLUMNS = (
    *("content", "article", "text", "正文", "body", "内容", "內容", "内文", "內文"),
    *("新闻内容", "新聞內容", "新闻正文", "新聞正文", "文章内容", "文章內容"),
    *("正文内容", "正文內容", "文章正文", "news_content", "article_content"),
    *("content_text", "article_text", "short_text", "full_text", "main_text"),
    *("news", "文章", "全文", "原文", "文本", "document", "passage", "story"),
    *("src", "abst", "abstract"),  # not "source": usually that is the newspaper
)
TARGET_COLUMNS = (
    *("title", "headline", "标题", "標題", "题目", "題目", "summary"),
    *("新闻标题", "新聞標題", "文章标题", "文章標題", "主标题", "主標題"),
    *("news_title", "article_title", "题名", "題名", "subject", "highlights"),
    "tgt",
)

_BETWEEN = re.compile(r"[\s_\-]+")


def plain_name(name: str) -> str:
    """Returns a column's name without case, width, spaces, hyphens and underscores."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", name)).casefold()


def same_name(one: str, other: str) -> bool:
    """Tells whether two names are the same to ``plain_name``."""
    return plain_name(one) == plain_name(other)


_KNOWN = frozenset(map(plain_name, (*SOURCE_COLUMNS, *TARGET_COLUMNS)))


def without_blank(names: Sequence[str]) -> tuple[str, ...]:
    """Removes blank names at the end, which Excel writes for empty columns."""
    kept = len(names)
    while kept and not names[kept - 1].strip():
        kept -= 1
    return tuple(names[:kept])


def count_known(names: Iterable[str], wanted: Iterable[str]) -> int:
    """Counts the names that are known for columns of articles or headlines.

    Args:
        wanted: more names that count as known.
    """
    known = _KNOWN | {plain_name(name) for name in wanted}
    return sum(plain_name(name) in known for name in names)
