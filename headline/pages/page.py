"""The frame of every HTML page that is written here.

Self-contained: no font, no picture and no script from elsewhere, so that a page can be
mailed, and opened years later. Light or dark, as the reader's system is.
"""

from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.6 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif;
  max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
"""
TAIL = "\n</body></html>\n"


def head(title: str, style: str = "") -> str:
    """Returns all that stands before the body's content.

    Args:
        style: CSS rules besides those of every page.
    """
    return (
        '<!doctype html>\n<html lang="zh"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body>\n"
    )


def page(title: str, body: str, style: str = "") -> str:
    """Returns a whole page around its body."""
    return head(title, style) + body + TAIL
