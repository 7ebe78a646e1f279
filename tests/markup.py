"""An HTML page as a browser would take it apart, for the tests of pages."""

from html.parser import HTMLParser


class Tags(HTMLParser):
    """Collects the tags, and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "line", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data

    def of(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        """The attributes of each such tag, of a class if one is named."""
        found = [attrs for name, attrs in self.tags if name == tag]
        return [a for a in found if not kind or kind in a.get("class", "").split()]


def parse(page: str) -> Tags:
    """Reads a page, or a part of one, whose tags must all be closed."""
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    return tags
