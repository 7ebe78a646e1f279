"""Boilerplate of articles: title lines, datelines and closing lines.

``prepare`` learns the rules of a corpus and removes what they match. A model keeps the
rules of its corpus, so ``generate`` and ``evaluate`` remove the same from new articles.

A rule is a text with placeholders, so it can be stored and read as JSON. ``{n}`` stands
for a number and ``{*}`` for a name or another short text without a full stop. Brackets
in openings match in full and half width, with or without a space before them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

NUMBER, NAME = "{n}", "{*}"
MOST_NAMES = 3  # in a rule
LEAST = 10  # characters that must be left of an article
HEAD, TAIL = 120, 120  # characters at both ends where boilerplate is looked for

MARKS = ("原标题：", "原标题:", "标题：", "标题:")  # before a title line
TITLE_LENGTH = 60  # characters of the longest title line
_TITLE_LINE = re.compile(
    rf"\s*(?P<mark>原标题[：:]|标题[：:])?(?P<title>[^\n]{{2,{TITLE_LENGTH}}})\n\s*(?=\S)"
)
_SENTENCE_ENDS = "。！？；，：…!?;,:、"
FULL_STOPS = "。！？…!?"

OPENERS, CLOSERS = "（([【", "）)]】"
_PLACEHOLDERS = {
    NUMBER: "[0-9]{1,4}",
    NAME: rf"[^。！？；，{re.escape(OPENERS + CLOSERS)}]{{0,40}}",
}
_PART = re.compile(r"(\{n\}|\{\*\}|[（(［\[]|[）)］\]]| ?题?：)")


class Removal(NamedTuple):
    """One removal from an article."""

    kind: str  # "title", "opening" or "closing"
    rule: str  # the rule, or the title
    before: str
    after: str


@dataclass(frozen=True)
class ArticleRules:
    """The boilerplate of a corpus.

    Attributes:
        openings: texts before the first sentence, such as ``新华社{*}{n}月{n}日电``.
        closings: texts after the last one: ``点击进入专题``, or with a variable end
            ``（责任编辑：{*}）`` and ``责任编辑：{*}``.
        titles: whether articles of the corpus begin with their headline as a line.
    """

    openings: Sequence[str] = ()
    closings: Sequence[str] = ()
    titles: bool = False

    def __bool__(self) -> bool:
        return bool(self.openings or self.closings or self.titles)

    def to_dict(self) -> dict[str, Any]:
        """Returns the rules, ready for JSON."""
        return {
            "openings": list(self.openings),
            "closings": list(self.closings),
            "titles": self.titles,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "ArticleRules":
        """Makes the rules from what ``to_dict`` returned; an empty dict gives no rules.

        Raises:
            TypeError, ValueError: it has another form.
        """
        if not isinstance(raw, Mapping):
            raise TypeError("rules for boilerplate must stand by their names")
        openings, closings = (
            _texts(raw.get(name, [])) for name in ("openings", "closings")
        )
        titles = raw.get("titles", False)
        if type(titles) is not bool or raw.keys() - {"openings", "closings", "titles"}:
            raise ValueError("rules for boilerplate have an unknown form")
        return cls(openings, closings, titles)

    def without_title_line(self, article: str) -> str:
        """Removes a title line from the start of a raw article.

        Only the corpus tells whether a first line without a full stop is a title.
        """
        found = _TITLE_LINE.match(article) if self.titles else None
        if found is None:
            return article
        rest = article[found.end() :]
        title = found["title"].strip()
        is_title = found["mark"] or not title.endswith(tuple(_SENTENCE_ENDS))
        return rest if is_title and len(rest) > len(title) else article

    def clean(self, article: str, titles: Iterable[str] = ()) -> str:
        """Removes all boilerplate from a normalised article.

        Cleaning twice equals cleaning once. At least ``LEAST`` characters are left.

        Args:
            titles: the headline of the article in all its forms, if it is known.
        """
        removed = self.removals(article, titles)
        return removed[-1].after if removed else article

    def removals(self, article: str, titles: Iterable[str] = ()) -> list[Removal]:
        """Returns all removals from a normalised article, in their order."""
        removed: list[Removal] = []
        titles = tuple(titles)
        while found := self._next(article, titles):
            article = found.after
            removed.append(found)
        return removed

    def _next(self, article: str, titles: tuple[str, ...]) -> Removal | None:
        begin, end = 0, len(article)
        if (titles or self.titles) and (title := _title_end(article, titles)):
            kind, begin, rule = "title", title, article[:title].strip()
        elif article[:1] in self._first and (opened := self._opening(article)):
            kind, (begin, rule) = "opening", opened
        elif self.closings and (closed := self._closing(article)):
            kind, (end, rule) = "closing", closed
        else:
            return None
        after = article[begin:end].strip()
        return Removal(kind, rule, article, after) if len(after) >= LEAST else None

    def _opening(self, article: str) -> tuple[int, str] | None:
        """Returns the end of the opening, and its rule."""
        found = self._openings.match(article, 0, HEAD)
        if found is None or found.lastindex is None:
            return None
        return found.end(), self.openings[found.lastindex - 1]

    def _closing(self, article: str) -> tuple[int, str] | None:
        """Returns the begin of the closing, and its rule."""
        if article.endswith(self._fixed):
            rule = next(one for one in self._longest if article.endswith(one))
            return len(article) - len(rule), rule
        if self._bracketed and article[-1:] in CLOSERS:
            begin = max(article.rfind(opener, -TAIL, -1) for opener in OPENERS)
            if begin > 0 and article.startswith(self._heads, begin + 1):
                return begin, _rule_of(article[begin + 1 :], self._bracketed)
        for label, rule in self._labels.items():
            begin = article.rfind(label, max(0, len(article) - TAIL))
            if begin > 0 and _is_last(article, begin):
                return begin, rule
        return None

    @cached_property
    def _openings(self) -> re.Pattern[str]:
        return re.compile("|".join(f"({pattern(rule)})" for rule in self.openings))

    @cached_property
    def _first(self) -> frozenset[str]:
        """The first characters of all openings; a bracket in either width."""
        firsts = "".join(rule[0] for rule in self.openings)
        return frozenset(firsts + ("（([" if set(firsts) & set(OPENERS) else ""))

    @cached_property
    def _fixed(self) -> tuple[str, ...]:
        return tuple(rule for rule in self.closings if NAME not in rule)

    @cached_property
    def _longest(self) -> Sequence[str]:
        return sorted(self._fixed, key=len, reverse=True)

    @cached_property
    def _bracketed(self) -> Mapping[str, str]:
        """The rules of brackets by what their content begins with."""
        rules = (rule for rule in self.closings if rule[0] in OPENERS and NAME in rule)
        return {rule[1 : rule.index(NAME)]: rule for rule in rules}

    @cached_property
    def _heads(self) -> tuple[str, ...]:
        return tuple(self._bracketed)

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        """The rules of labels such as ``责任编辑：`` by their text."""
        return {rule[: -len(NAME)]: rule for rule in self.closings if _is_label(rule)}


NO_RULES = ArticleRules()


def pattern(rule: str) -> str:
    """Returns the regular expression of an opening; it has no groups."""
    return "".join(map(_part_pattern, _PART.split(rule))) + " ?"


def _part_pattern(part: str) -> str:
    if part in _PLACEHOLDERS:
        return _PLACEHOLDERS[part]
    if part and part in "（(":
        return r" ?[（(]"
    if part and part in "）)":
        return r"[）)]"
    if part.endswith("：") and part.strip() in ("：", "题："):
        return " ?" + re.escape(part.strip())[:-1] + "[：:]"
    return re.escape(part)


def _is_last(article: str, begin: int) -> bool:
    """Tells whether a sentence or line begins there, and none later."""
    follows = article[begin - 1] in FULL_STOPS + CLOSERS + " ”」"
    return follows and not set(FULL_STOPS).intersection(article[begin:-1])


def _rule_of(text: str, rules: Mapping[str, str]) -> str:
    return next(rules[head] for head in rules if text.startswith(head))


def _is_label(rule: str) -> bool:
    return rule.endswith(NAME) and rule[0] not in OPENERS


def _title_end(article: str, titles: tuple[str, ...]) -> int:
    """Returns where the title line of a normalised article ends; 0 if it has none."""
    if not (article.startswith(titles) or article.startswith(MARKS)):
        return 0
    mark = next((mark for mark in MARKS if article.startswith(mark)), "")
    begin = len(mark) + article.startswith(" ", len(mark))
    for title in titles:
        if title and article.startswith(title + " ", begin):
            return begin + len(title) + 1
    if mark:
        end = article.find(" ", len(mark) + 1, len(mark) + TITLE_LENGTH)
        return end + 1 if end > 0 and "。" not in article[:end] else 0
    return 0


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(map(_is_rule, values)):
        raise TypeError("rules for boilerplate must be a list of texts")
    return tuple(values)


def _is_rule(value: Any) -> bool:
    """Tells whether a value is a rule that matches in a short time."""
    if not isinstance(value, str) or len(value) < 2:
        return False
    return value.count(NAME) <= MOST_NAMES and not value.startswith((NAME, NUMBER))
