"""``headline.evaluate``: scores the headlines of a ``Writer``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headline.api.settings import SEARCH, names_of, search_with, shares
from headline.api.writer import Writer
from headline.data.corpus import Pair, check_pair
from headline.evaluation.evaluate import Evaluation, evaluate_pairs
from headline.evaluation.evaluate import evaluate as evaluate_file
from headline.formats.tables import CorpusFormat
from headline.settings.commands import FormatConfig
from headline.text.normalise import normalise

# The confidence is estimated if the model has one, and no headline is left out.
SCORED = SEARCH - {"with_confidence", "min_confidence"}


def evaluate(
    writer: Writer,
    pairs_or_file: str | Path | Iterable[tuple[str, str]],
    **settings: Any,
) -> Evaluation:
    """Scores the headlines of a model against given ones, as ``headline evaluate``.

    Args:
        writer: the model.
        pairs_or_file: a file, or pairs of an article and its headline. Pairs with a
            blank side are left out.
        settings: of the search, and for a file those of ``FormatConfig``.

    Returns:
        the ``scores`` of the model, of the opening of the article and of the references
        themselves, and the figures of its ``confidence`` if it has one;
        ``print(found.table())`` shows them.

    Raises:
        CorpusError: the file cannot be read, an item is not a pair, or there is no
            pair.
        ConfigError: a setting is unknown or out of range.
    """
    is_file = isinstance(pairs_or_file, str | Path)
    form_names = names_of(FormatConfig) if is_file else frozenset()
    search, form = shares(settings, SCORED, form_names)
    config = search_with(writer.settings, search, SCORED)
    with writer.searching(config) as generator:
        if isinstance(pairs_or_file, str | Path):
            how = CorpusFormat(**FormatConfig(**form).to_dict())
            return evaluate_file(generator, Path(pairs_or_file), how)
        return evaluate_pairs(generator, _normalised(pairs_or_file))


def _normalised(pairs: Iterable[tuple[str, str]]) -> list[Pair]:
    found = []
    for place, pair in enumerate(pairs, 1):
        check_pair(pair, place)
        found.append(Pair(*map(normalise, pair)))
    return [pair for pair in found if all(pair)]
