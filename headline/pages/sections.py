"""Sections that are added to a page later, or replaced there."""

import re

END = "</body>"


def is_page(text: str | None) -> bool:
    """Tells whether a section can be added to a text."""
    return text is not None and END in text


def with_section(page: str, section: str) -> str:
    """Adds a section to a page before its end, or replaces the one with its id.

    Args:
        page: see ``is_page``.
        section: begins with ``<section id="…">`` and holds no other section.
    """
    begin = section[: section.index(">") + 1]
    older = re.compile(f"{re.escape(begin)}.*?</section>", re.DOTALL)
    if older.search(page):
        return older.sub(lambda _: section, page)  # a text would be a template
    before, end, after = page.rpartition(END)
    return f"{before}{section}{end}{after}"
