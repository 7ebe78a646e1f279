"""``generate --explain``: articles with their headlines, each character linked to where
it was copied from, as one HTML page.

The page works without its script too: the shades of the best headline and the heat maps
are part of it. The script shades an article for the character that is pointed at,
tapped or focused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from itertools import count
from pathlib import Path

import numpy as np

from headline.engines.base import Floats
from headline.errors import HeadlineError
from headline.generation.explain import ExplainedHeadline, Explanation, Token
from headline.pages.heat_map import (
    MOST_SHADES,
    heat_map,
    kind_of,
    percent,
    shades_of,
    visible,
)
from headline.pages.page import TAIL, head
from headline.system.outputs import output_stream

STRONG = 1 / 8  # of a whole headline's greatest weight: a lesser one is not shown

STYLE = """
:root { --copied: 59 130 246; --written: 234 120 12; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --copied: 70 140 255; --written: 240 125 20; --paper: #121212; } }
body { max-width: 80rem; background: var(--paper); }
h2 { margin: 0 0 .5rem; }
h2 span { opacity: .55; font-weight: normal; margin-right: .4rem; }
section { content-visibility: auto; contain-intrinsic-size: auto 36rem;
  border-top: 1px solid var(--line); padding: 1.2rem 0 1.6rem; }
.sides { display: grid; gap: .5rem 2rem;
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
.reading { position: sticky; top: 0; align-self: start; background: var(--paper);
  padding: .4rem 0; z-index: 1; }
.source { position: relative; overflow-y: auto; max-height: 75vh; line-height: 1.9;
  overflow-wrap: anywhere; }
.source i { font-style: normal; border-radius: 2px; padding: .15em 0;
  background: rgb(var(--hue) / calc(var(--w, 0) * .65%)); }
.source i.same { box-shadow: 0 2px 0 rgb(var(--hue)); }
.copied { --hue: var(--copied); } .written { --hue: var(--written); }
.unread { opacity: .55; font-size: .9rem; }
output { display: block; min-height: 1.6em; font-size: .85rem; opacity: .8; }
ol { list-style: none; margin: 0; padding: 0; }
li { position: relative; padding: .5rem 0 .6rem; }
li + li { border-top: 1px dotted var(--line); }
.tokens { display: flex; flex-wrap: wrap; gap: 2px; align-items: stretch; }
button { font: inherit; color: inherit; border: 0; cursor: pointer;
  background: none; border-radius: 3px; padding: .1rem .2rem .3rem; }
.token { font-size: 1.2rem; line-height: 1.25; min-width: 1.75rem;
  background: linear-gradient(90deg, rgb(var(--copied)) calc(var(--p) * 1%),
    rgb(var(--written)) 0) bottom / 100% 3px no-repeat; }
.token.written { background-color: rgb(var(--written) / 16%); }
small { display: block; font-size: .65rem; line-height: 1.1; opacity: .75;
  user-select: none; }
.token.end { opacity: .5; background: none; }
.score { font-size: .85rem; padding: 0 .2rem; margin-left: -.2rem;
  font-variant-numeric: tabular-nums; opacity: .8; }
button.on { outline: 2px solid rgb(var(--hue)); }
details { font-size: .85rem; } summary { cursor: pointer; opacity: .7; }
li > details > summary { position: absolute; top: .5rem; right: 0; }
.map { display: flex; overflow-x: auto; padding: .4rem 0; }
.map svg { flex: none; display: block; font-size: 13px; }
.map svg:first-child { position: sticky; left: 0; background: var(--paper); }
.map text { fill: currentColor; }
.map rect { fill: rgb(var(--hue)); }
.map .row { fill: var(--line); opacity: .25; }
.map .column { writing-mode: vertical-rl; text-orientation: upright; text-anchor: end; }
.legend .token { display: inline-block; padding: .1rem .2rem .3rem; text-align: center;
  vertical-align: middle; }
@media (max-width: 48rem) {
  body { padding: .8rem; }
  .sides { grid-template-columns: minmax(0, 1fr); }
  .reading { border-bottom: 1px solid var(--line); }
  .source { max-height: 36vh; line-height: 1.75; } }
"""

SCRIPT = """<script>
const show = button => {
  const section = button.closest('section');
  const source = section.querySelector('.source');
  for (const old of section.querySelectorAll('.on')) old.classList.remove('on');
  for (const old of source.querySelectorAll('[style]')) {
    old.removeAttribute('style');
    old.classList.remove('same');
  }
  button.classList.add('on');
  source.classList.toggle('written', button.classList.contains('written'));
  source.classList.toggle('copied', !button.classList.contains('written'));
  section.querySelector('output').textContent = button.title;
  let best = null, most = 0;
  for (const pair of button.dataset.w.split(' ').filter(Boolean)) {
    const [place, weight] = pair.split(':').map(Number);
    const token = source.children[place];
    token.style.setProperty('--w', weight);
    const same = token.textContent === button.dataset.t;
    token.classList.toggle('same', same);
    if (weight + 100 * same > most) [best, most] = [token, weight + 100 * same];
  }
  if (!best) return;
  const top = best.offsetTop - source.scrollTop;
  if (top < 0 || top + best.offsetHeight > source.clientHeight)
    source.scrollTop = best.offsetTop - source.clientHeight / 2;
};
const act = event => {
  const button = event.target.closest && event.target.closest('[data-w]');
  if (button) show(button);
};
document.addEventListener('click', act);
document.addEventListener('focusin', act);
document.addEventListener('pointerover', event => {
  if (event.pointerType === 'mouse') act(event);
});
</script>"""

COPYING = """<p class="legend">
<span class="token copied" style="--p:100">字<small>100</small></span> copied from the
article, <span class="token written" style="--p:0">字<small>0</small></span> written by
the model. The number is P(copy): how much of the character’s probability, in %, came
from copying. Point at a character, or tap it: the article shows where it was copied
from, or what the model looked at as it wrote. The nearer to 0 a score, the better.</p>
"""
WRITING = """<p class="legend">This model does not copy: it wrote every character. Point
at one, or tap it: the article shows what the model looked at as it wrote. The nearer to
0 a score, the better.</p>
"""


@contextmanager
def explanation_page(
    path: Path, pointer: bool
) -> Iterator[Callable[[Explanation], None]]:
    """Yields what puts an article on the page, which is there once the body succeeds.

    Args:
        pointer: whether the model can copy.

    Raises:
        HeadlineError: the page cannot be written.
    """
    _check_folder(path)
    with output_stream(path) as stream:
        title = "Where the headlines come from"
        legend = COPYING if pointer else WRITING
        stream.write(f"{head(title, STYLE)}<h1>{title}</h1>\n{legend}")
        numbers = count(1)

        def write(explanation: Explanation) -> None:
            stream.write(section(next(numbers), explanation))

        yield write
        stream.write(SCRIPT + TAIL)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise HeadlineError(f"cannot write {path}: there is no folder {path.parent}")


# --- an article -----------------------------------------------------------------------


def section(number: int, explanation: Explanation) -> str:
    """Returns an article with its candidates."""
    if not explanation.headlines:
        return f"<section><h2><span>{number}</span>(blank)</h2></section>\n"
    best = explanation.headlines[0]
    items = "".join(
        _candidate(rank, one, explanation)
        for rank, one in enumerate(explanation.headlines, start=1)
    )
    return (
        f"<section><h2><span>{number}</span>{escape(best.text)}</h2>"
        f'<div class="sides"><div class="reading">{_source(explanation)}'
        f"<output></output></div><ol>{items}</ol></div>"
        f"{_unread(explanation.unread)}</section>\n"
    )


def _source(explanation: Explanation) -> str:
    """The article, shaded for the whole of its best headline."""
    whole = _whole(explanation.headlines[0], explanation.pointer)
    shades = dict(shades_of(whole, len(whole)))
    tokens = "".join(
        f'<i style="--w:{shades[place]}">{escape(text)}</i>'
        if place in shades
        else f"<i>{escape(text)}</i>"
        for place, text in enumerate(explanation.source)
    )
    return f'<div class="source {kind_of(explanation.pointer)}">{tokens}</div>'


def _unread(text: str) -> str:
    if not text:
        return ""
    summary = f"The model did not read the last {len(text)} characters"
    return (
        f'<details class="unread"><summary>{summary}</summary>{escape(text)}</details>'
    )


def _candidate(rank: int, headline: ExplainedHeadline, explanation: Explanation) -> str:
    pointer = explanation.pointer
    score = f"score {headline.score:.2f}"
    whole = _data(_whole(headline, pointer), len(explanation.source))
    tokens = "".join(_token(token, pointer) for token in headline.tokens)
    return (
        f'<li><button class="score {kind_of(pointer)}" {whole} '
        f'title="the whole headline, {score}">{rank} · {score}</button>'
        f'<div class="tokens" role="group" aria-label="{escape(headline.text)}">'
        f"{tokens}</div><details{' open' if rank == 1 else ''}>"
        f"<summary>heat map</summary>"
        f"{heat_map(headline.tokens, explanation.source)}</details></li>"
    )


def _token(token: Token, pointer: bool) -> str:
    text, share = escape(visible(token.text)), round(100 * token.copy_share)
    title, number = f"{text}  probability {percent(token.probability)}", ""
    if pointer and token.text:
        title += f", P(copy) {percent(token.copy_share)}"
        number = f"<small>{share}</small>"
    kind = kind_of(token.is_copied) + ("" if token.text else " end")
    return (
        f'<button class="token {kind}" style="--p:{share}" {_data(token.weights)} '
        f'data-t="{escape(token.text)}" title="{title}">{text}{number}</button>'
    )


def _whole(headline: ExplainedHeadline, pointer: bool) -> Floats:
    """The greatest weight of each token of the article, shape ``(S,)``.

    What a model with a pointer wrote is left out: it comes from nowhere.
    """
    rows = [
        token.weights
        for token in headline.tokens
        if token.text and (token.is_copied or not pointer)
    ]
    none = np.zeros_like(headline.tokens[0].weights)
    greatest: Floats = np.max([none, *rows], axis=0)
    return np.where(greatest >= STRONG * greatest.max(), greatest, 0)


def _data(weights: Floats, most: int = MOST_SHADES) -> str:
    pairs = " ".join(f"{place}:{shade}" for place, shade in shades_of(weights, most))
    return f'type="button" data-w="{pairs}"'
