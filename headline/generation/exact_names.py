"""Headlines without names that their article lacks.

The search does not look for names: few headlines have a wrong one. Those articles are
searched again with these names as words to avoid, as long as new wrong names turn up.
"""

from collections.abc import Sequence
from dataclasses import replace

from headline.generation.headlines import Headline
from headline.generation.searcher import Searcher, SearchTask
from headline.search.constraints import constraint
from headline.text.names import unsupported_names
from headline.text.normalise import normalise

ROUNDS = 4  # searches after the first; a headline seldom needs more than one


def search(searcher: Searcher, batch: Sequence[SearchTask]) -> list[list[Headline]]:
    """Searches a batch; see ``Searcher.search``.

    An article whose settings have ``exact_names`` gets headlines without names that it
    lacks. If there are none, it gets those that the search found first.
    """
    found = searcher.search(batch)
    latest, tasks = dict(enumerate(found)), dict(enumerate(batch))
    for _ in range(ROUNDS):
        wrong = {place: _wrong_names(tasks[place], latest[place]) for place in latest}
        latest = {place: latest[place] for place, names in wrong.items() if names}
        if not latest:
            break
        tasks = {at: _avoiding(tasks[at], wrong[at], searcher) for at in latest}
        again = searcher.search([*tasks.values()])
        latest = dict(zip(tasks, again, strict=True))
        for place, headlines in latest.items():
            right = [one for one in headlines if not _wrong_names(tasks[place], [one])]
            found[place] = right or found[place]
    return found


def _wrong_names(task: SearchTask, headlines: Sequence[Headline]) -> list[str]:
    """Returns the names of headlines that the article lacks and nobody asked for."""
    if not task.config.exact_names:
        return []
    asked = [task.config.prefix, *task.config.must_include]
    known = "\n".join([task.source.whole, *map(normalise, filter(None, asked))])
    names = (unsupported_names(one.text, known) for one in headlines)
    return [*dict.fromkeys(name.text for several in names for name in several)]


def _avoiding(task: SearchTask, names: Sequence[str], searcher: Searcher) -> SearchTask:
    """Returns the task of an article with more words to avoid."""
    config = replace(task.config, avoid=(*task.config.avoid, *names))
    bound = constraint(task.source, config, searcher.tokenizer)
    return replace(task, config=config, constraint=bound)
