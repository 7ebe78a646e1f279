"""Names of people, places and organisations that a headline has and its article lacks.

jieba tags the words of the headline. Its tags are noisy: 晋级 ("be promoted") is a
person to it. So a word counts as a name only if its form is that of a name, too. The
rules and lists below were made from headlines of TV news and wire stories.

The article is not tagged: it has a name if it has these characters in a row. A short
form is supported by what it stands for: 美海军 by 美国海军, 鲁 by 山东, 得州 by
得克萨斯州, 人社部 by 人力资源和社会保障部, 中国 by 我国.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from headline.text.name_lists import (
    ALSO,
    COMPOUND,
    ENDS,
    FOREIGN,
    JOINED,
    KIND_OF_PLACE,
    KINDS,
    ORDINARY,
    ORDINARY_FORM,
    ORGANISATION_ENDS,
    PLACES,
    SHORT_ORGANISATION,
    STATE,
    SURNAMES,
    VERBS,
)
from headline.text.tags import Word, tagged


class Name(NamedTuple):
    """A name in a headline; ``begin`` and ``end`` count code points."""

    text: str
    begin: int
    end: int
    in_pieces: bool  # the article has all of its characters, but not in a row


def unsupported_names(headline: str, article: str) -> list[Name]:
    """Returns the names of a headline that its article does not have, in order.

    Args:
        headline: normalised by ``normalise``, as the article is.
        article: the whole article.
    """
    if headline in article:
        return []
    found = sorted(
        {
            (begin, end)
            for begin, end in (
                *_tagged_names(headline, article),
                *_foreign_names(headline, article),
            )
            if not _is_supported(headline[begin:end], article)
        }
    )
    return [
        Name(text, begin, end, all(map(article.__contains__, text)))
        for begin, end in _outermost(found)
        if (text := headline[begin:end])
    ]


def _outermost(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields sorted spans without those that overlap an earlier one."""
    last = 0
    for begin, end in spans:
        if begin >= last:
            yield begin, end
            last = end


# --- which words are names ------------------------------------------------------------


def _tagged_names(headline: str, article: str) -> Iterator[tuple[int, int]]:
    """Yields the words that are names, and those that the dictionary lacks.

    Of a word that it lacks, the dictionary leaves single characters.
    """
    rest: list[Word] = []
    for word in (*tagged(headline, article), _LAST):
        if rest and (len(word.text) != 1 or word.begin != rest[-1].end):
            if _is_unknown_name("".join(one.text for one in rest)):
                yield rest[0].begin, rest[-1].end
            rest = []
        if len(word.text) == 1:
            rest.append(word)
        elif _is_name(word):
            yield word.begin, word.end


def _is_name(word: Word) -> bool:
    text = word.text
    if text in ORDINARY or ORDINARY_FORM.search(text):
        return False
    return word.tag in ("ns", "nt") or (word.tag == "nr" and _is_person(text))


def _is_unknown_name(text: str) -> bool:
    if text in ORDINARY or ORDINARY_FORM.search(text):
        return False
    person = _is_person(text) and not VERBS & set(text)
    return person or SHORT_ORGANISATION.fullmatch(text) is not None


def _is_person(text: str) -> bool:
    """Tells whether a text has the form of a Chinese person's name."""
    if text.startswith(COMPOUND):
        return len(text) in (3, 4)
    return text[0] in SURNAMES and len(text) in (2, 3)


def _foreign_names(headline: str, article: str) -> Iterator[tuple[int, int]]:
    """Yields runs of sounds that are not made of names of the article.

    jieba's dictionary has few foreign names and cuts the others into pieces.
    """
    for found in FOREIGN.finditer(headline):
        if _is_made_of(found[0], article):
            continue
        begin = found.start()
        before = headline[begin - 1 : begin + 1] if begin else ""
        if before and (before in article or len(tagged(before)) == 1):
            begin += 1  # its first character ends another word: 印尼雅加达
        begin += _place_length(headline[begin : found.end()], article)
        name = headline[begin : found.end()]
        if FOREIGN.fullmatch(name) and not _is_made_of(name, article):
            yield begin, found.end()


def _place_length(run: str, article: str) -> int:
    """Returns the length of the place that a run begins with, 0 if there is none."""
    lengths = range(len(run), 1, -1)
    known = next((length for length in lengths if is_place(run[:length])), 0)
    return known or int(run[0] in PLACES and _has_place(run[0], article))


def _is_made_of(run: str, article: str) -> bool:
    """Tells whether a run is cut into parts of two or more characters in a row of an
    article: 伊拉克库尔德 is made of 伊拉克 and 库尔德."""
    run = run.strip(ENDS)
    reached = {0}  # lengths of beginnings of the run that are made of such parts
    for end in range(2, len(run) + 1):
        if any(end - at > 1 and run[at:end] in article for at in reached):
            reached.add(end)
    return len(run) in reached or len(run) < 2


# --- what an article supports ---------------------------------------------------------


def _is_supported(name: str, article: str) -> bool:
    if name in article or any(full in article for full in ALSO.get(name, ())):
        return True
    forms = (_is_state, _is_abbreviation, _is_joined, _is_longer, _is_two_places)
    return any(supports(name, article) for supports in forms)


def _is_state(name: str, article: str) -> bool:
    """Tells whether a name is short for one such as 得克萨斯州: 得州."""
    state = STATE.fullmatch(name)
    return bool(state and re.search(f"{state[1]}[一-鿿]{{1,5}}州", article))


def _is_abbreviation(name: str, article: str) -> bool:
    """Tells whether a name is short for an organisation of the article: 人社部.

    Its characters must follow each other at short distances, as they do in
    人力资源和社会保障部.
    """
    if name[-1] not in ORGANISATION_ENDS:
        return False
    return re.search("[一-鿿]{0,4}".join(name), article) is not None


def _is_joined(name: str, article: str) -> bool:
    """Tells whether a name joins places in one character and another word: 美海军."""
    found = JOINED.fullmatch(name)
    if not found or not all(_has_place(one, article) for one in found["places"]):
        return False
    rest = found["rest"]
    return not rest or rest in KINDS or rest in article


def _has_place(short: str, article: str) -> bool:
    """Tells whether an article has the place that a character stands for."""
    return short in article or any(full in article for full in PLACES[short])


def _is_longer(name: str, article: str) -> bool:
    """Tells whether a name only adds to one of the article what kind of place it is."""
    base = KIND_OF_PLACE.sub("", name)
    return base != name and len(base) > 1 and _is_supported(base, article)


def _is_two_places(name: str, article: str) -> bool:
    """Tells whether a name is two places of the article: 英国伦敦."""
    halves = ((name[:at], name[at:]) for at in range(2, len(name) - 1))
    return any(
        first in article and second in article and is_place(first) and is_place(second)
        for first, second in halves
    )


def is_place(word: str) -> bool:
    """Tells whether jieba's dictionary has a word as a place."""
    first, *others = tagged(word)
    return not others and first.tag == "ns" and word not in ORDINARY


_LAST = Word("", -1, -1, "")  # ends the words of a headline
