"""Datelines and closing lines of a corpus, found by counting.

A dateline such as ``新华社北京1月1日电（记者张三）`` differs from article to article,
so numbers and names become placeholders first, and the forms that remain are counted.
What many articles begin or end with is boilerplate, unless it also occurs inside
articles: then it is part of the language, like ``今天（1日）``. The forms are those of
``headline.text.boilerplate``.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from headline.data.affixes import enough
from headline.text.boilerplate import (
    CLOSERS,
    FULL_STOPS,
    HEAD,
    NAME,
    NUMBER,
    OPENERS,
    TAIL,
    ArticleRules,
    pattern,
)

# Share of the occurrences that must be at an end of an article. The lower one is for
# datelines with a reporter and for labels, whose own words tell what they are.
PURE, PLAIN = 0.8, 0.5
ROUNDS = 4  # each finds what stands behind the boilerplate of the one before
MOST = 100  # rules of each kind

# --- openings -------------------------------------------------------------------------

_STOPS = re.escape("，。！？；、“”‘’《》… ")
_ALL_BRACKETS = re.escape(OPENERS + CLOSERS)
_RUN = rf"[^：:{_STOPS}{_ALL_BRACKETS}]"
_GROUP = r"[（(][^（）()]{2,60}[）)]"
_OPENINGS = (
    re.compile(r"【[^【】。]{1,20}】"),
    # 滨江日报讯（记者 张三） and 滨江日报1月1日电 (记者 张三) 题：
    re.compile(rf"(?P<run>{_RUN}{{2,30}}) ?(?P<group>{_GROUP})(?: ?题?[：:])?"),
    re.compile(rf"{_RUN}{{1,24}}[日社]电(?: ?题[：:])?"),
    re.compile(rf"{_RUN}{{1,16}}讯(?=[ 【])"),
    re.compile(rf"{_RUN}{{2,20}} ?[：:]"),
)
_DIGITS = re.compile("[0-9]{1,4}")
_DATED = re.compile(rf"(?P<site>.{{3}}).{{1,10}}(?P<date>{re.escape(NUMBER)}月)")
# A run that ends so needs no variety of names behind it to be a dateline.
_REPORT = re.compile("(?:讯|电|报道|消息)$")
_REPORTER = re.compile("(?:讯|电|报道|消息)（.*记者")
VARIED = 3  # different names that a form needs, or it has one name that is not variable
FREQUENT = 1.25  # how many more articles a general form must match than a special one


def _openings_of(article: str) -> Iterator[str]:
    """Yields the forms that the beginning of an article may be an instance of."""
    for form in _OPENINGS:
        found = form.match(article, 0, HEAD)
        if found is None or set("{}") & set(found.group()):
            continue
        if found.end() < len(article) and article[found.end()] in "，,。、；":
            continue  # part of a sentence
        yield from _forms_of(found)


def _forms_of(found: re.Match[str]) -> Iterator[str]:
    """Yields a text with placeholders: exactly, with any names, and at any place."""
    text = found.group()
    forms = [text]
    group = found.groupdict().get("group")
    if group is not None:
        if group[1].isdigit():
            return  # a date or a number, as in 今天（1日）
        generalised = text.replace(group, f"（{group[1:3]}{NAME}）")
        forms = [generalised, text] if _REPORT.search(found["run"]) else [generalised]
    for form in forms:
        form = _canonical(form)
        yield form
        dated = _DATED.match(form)
        if dated is not None:
            rest = form[dated.start("date") :]
            yield f"{dated['site']}{NAME}{rest}"


def _canonical(form: str) -> str:
    """Puts NUMBER for numbers, and full-width brackets without spaces around them."""
    form = form.translate(str.maketrans("():", "（）："))
    form = re.sub(" ?（", "（", re.sub(" ?(题?)：$", r"\1：", form))
    return _DIGITS.sub(NUMBER, form)


def learn_openings(articles: Sequence[str]) -> list[str]:
    """Returns the openings that many of the articles begin with."""
    counts: Counter[str] = Counter()
    contents: dict[str, set[str]] = defaultdict(set)
    for article in articles:
        for form in set(_openings_of(article)):
            counts[form] += 1
            if len(contents[form]) < VARIED:
                contents[form].add(article[: len(form) + 4])
    text = "\n".join(articles)
    fewest, kept = enough(len(articles)), dict[str, int]()
    for form, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count < fewest or len(kept) == MOST:
            break
        varied = len(contents[form]) >= VARIED or NAME not in form
        if form[0] not in "{0123456789" and varied and _is_pure(form, count, text):
            kept[form] = count
    return _without_covered(kept)


def _is_pure(form: str, count: int, text: str) -> bool:
    """Tells whether articles hardly contain a form except at their beginning."""
    share = PLAIN if _REPORTER.search(form) else PURE
    return count >= share * sum(1 for _ in re.finditer(pattern(form), text))


def _without_covered(counts: Mapping[str, int]) -> list[str]:
    """Leaves out one of two forms if the other one removes as much.

    Of a form and its generalisation, the general one stays only if it is clearly more
    frequent. The longest come first, because the first that matches is taken.
    """
    dropped = set()
    for one in counts:
        for other in counts:
            if one != other and _generalises(other, one):
                enough = counts[other] < FREQUENT * counts[one]
                dropped.add(other if enough else one)
    return sorted(counts.keys() - dropped, key=lambda form: (-len(form), form))


def _generalises(form: str, other: str) -> bool:
    """Tells whether a form with more names matches all that another one matches."""
    instance = other.replace(NUMBER, "1").replace(NAME, "某")
    more = form.count(NAME) > other.count(NAME)
    return more and re.fullmatch(pattern(form), instance) is not None


# --- closings -------------------------------------------------------------------------

LONGEST, SHORTEST = 60, 3  # characters of a fixed closing
_LABEL = re.compile(rf"(?P<head>[^：:\s0-9{_STOPS}{_ALL_BRACKETS}]{{2,10}}[：: ])")
_BRACKETED = re.compile(r"[（(\[【](?P<content>[^（）()\[\]【】]{1,80})[）)\]】]$")
_ENDS = frozenset("。！？!?…”」）)]】 ")
_STOP = frozenset(FULL_STOPS + " ”」』")
_ALONE = 0.4  # share of fixed closings that must follow a full stop or a space
_SAME = 0.9  # share of the articles that a longer closing must have to be taken


def learn_closings(articles: Sequence[str]) -> list[str]:
    """Returns the closings that many of the articles end with."""
    fewest, text = enough(len(articles)), "\n".join(articles) + "\n"
    variable = Counter(form for one in articles for form in set(_closings_of(one)))
    forms = {form: n for form, n in variable.items() if n >= fewest}
    forms |= _fixed_closings(articles, fewest)
    ordered = sorted(forms, key=lambda form: (-forms[form], form))
    pure = [form for form in ordered if _ends_purely(form, forms[form], text)]
    kept = [form for form in pure if not _is_mostly_one(form, forms)][:MOST]
    return [form for form in kept if not _is_covered(form, kept)]


def _closings_of(article: str) -> Iterator[str]:
    """Yields the forms with a name that the end of an article may be one of."""
    bracketed = _BRACKETED.search(article, max(0, len(article) - TAIL))
    if bracketed is not None:
        label = _LABEL.match(bracketed["content"])
        if label is not None:
            yield f"（{label['head']}{NAME}）"
        return
    for boundaries in (FULL_STOPS, FULL_STOPS + " "):
        begin = 1 + max(article.rfind(one, -TAIL, -1) for one in boundaries)
        label = _LABEL.match(article, begin)
        if label is not None and label["head"].endswith(("：", ":")):
            yield f"{label['head']}{NAME}"


def _fixed_closings(articles: Sequence[str], fewest: int) -> dict[str, int]:
    """Returns the longest texts that at least ``fewest`` articles end with.

    The texts grow by one character at a time, so only those of frequent ends are
    counted: the a-priori principle.
    """
    closings: dict[str, int] = {}
    alive: dict[str, list[int]] = {"": [*range(len(articles))]}
    for length in range(1, LONGEST + 1):
        longer: dict[str, list[int]] = defaultdict(list)
        for places in alive.values():
            for place in places:
                article = articles[place]
                # A sentence or line before the last one is for the next round.
                if len(article) > length and (
                    length == 1 or article[-length] not in _STOP
                ):
                    longer[article[-length:]].append(place)
        longer = {end: found for end, found in longer.items() if len(found) >= fewest}
        most: dict[str, int] = defaultdict(int)
        for end, places in longer.items():
            most[end[1:]] = max(most[end[1:]], len(places))
        for end, places in alive.items():
            is_longest = most[end] < _SAME * len(places)
            if is_longest and _stand_alone(end, places, articles):
                closings[end] = len(places)
        alive = longer
    return closings


def _stand_alone(end: str, places: Sequence[int], articles: Sequence[str]) -> bool:
    """Tells whether a closing mostly follows a full stop, a bracket or a space."""
    if len(end) < SHORTEST or not any(map(str.isalpha, end)):
        return False
    if sum(map(end.count, OPENERS)) != sum(map(end.count, CLOSERS)):
        return False  # the end of a longer text in brackets
    if end[0] in OPENERS:
        return True
    before = (articles[place][-len(end) - 1] for place in places)
    return sum(one in _ENDS for one in before) >= _ALONE * len(places)


def _ends_purely(form: str, count: int, text: str) -> bool:
    """Tells whether a form hardly occurs inside articles."""
    if NAME not in form:
        return count >= PURE * text.count(form)
    if form[0] in OPENERS:
        return count >= PLAIN * text.count(form[1 : form.index(NAME)])
    return count >= PURE * text.count(form[: -len(NAME)])


def _is_mostly_one(form: str, counts: Mapping[str, int]) -> bool:
    """Tells whether a form with a name is hardly more than one fixed closing."""
    head = form.removesuffix(NAME)
    return NAME in form and any(
        counts[form] < FREQUENT * counts[other]
        for other in counts
        if other != form and other.startswith(head)
    )


def _is_covered(form: str, forms: Iterable[str]) -> bool:
    """Tells whether another form also removes what this one does."""
    rules = ArticleRules(closings=[other for other in forms if other != form])
    if NAME in form:
        return False
    article = "天" * TAIL + "。"
    return rules.clean(article + form) == article


# --- both -----------------------------------------------------------------------------


def learn_articles(articles: Sequence[str]) -> ArticleRules:
    """Finds openings and closings, also those behind each other."""
    rules = ArticleRules()
    for _ in range(ROUNDS):
        left = [rules.clean(article) for article in articles]
        openings = [one for one in learn_openings(left) if one not in rules.openings]
        closings = [one for one in learn_closings(left) if one not in rules.closings]
        if not openings and not closings:
            break
        rules = ArticleRules(
            openings=(*rules.openings, *openings), closings=(*rules.closings, *closings)
        )
    return rules
