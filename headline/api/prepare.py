"""``headline.prepare``: turns files, or pairs in memory, into a DATA_DIR."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from headline.api.settings import names_of, shares
from headline.data.prepare import Job
from headline.data.prepare import prepare as prepare_corpus
from headline.errors import ConfigError, CorpusError
from headline.formats.tables import CorpusFormat
from headline.settings.clean import CleanConfig
from headline.settings.commands import FormatConfig
from headline.settings.prepare import MOST_WEIGHT, PrepareConfig
from headline.system.outputs import check_outputs

Pairs: TypeAlias = Iterable[tuple[str, str]]


def prepare(
    files_or_pairs: str | Path | Iterable[str | Path] | Pairs,
    data_dir: str | Path,
    *,
    unpaired: Iterable[str | Path] = (),
    weights: Mapping[str, float] | Mapping[Path, float] | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    workers: int = 1,
    **settings: Any,
) -> dict[str, Any]:
    """Turns a corpus into a dataset, as ``headline prepare`` does.

    Args:
        files_or_pairs: a file, several, or pairs of an article and its headline. Pairs
            are read as they come and may be more than memory holds.
        data_dir: folder for the dataset.
        unpaired: files of articles without headlines, to train on before the pairs.
        weights: how often an epoch shows each pair of a file; 1 for other files.
        overwrite: replace the dataset that is there.
        dry_run: write only ``report.html``, to look at before a dataset is written.
        workers: processes that read a large corpus.
        settings: of ``PrepareConfig``, ``CleanConfig`` and ``FormatConfig``, such as
            ``vocab_size``, or ``clean=False`` to leave the texts as they are.

    Returns:
        the content of data.json: ``counts``, ``corpora``, ``rejects`` and more. After
        a dry run there is no such file, and no checksums.

    Raises:
        CorpusError: a file cannot be read, an item is not a pair, or no pair is usable.
        DataError: the folder exists already, and ``overwrite`` is false; or a dry run
            would replace a dataset.
        ConfigError: a setting is unknown or out of range.
    """
    from headline.pages.corpus_report import render  # loads Jinja2

    known = map(names_of, (PrepareConfig, CleanConfig, FormatConfig))
    preparing, cleaning, form = shares(settings, *known)
    files, pairs = _taken_apart(files_or_pairs)
    others = [*map(Path, unpaired)]
    for path in [*files, *others]:
        folders = [path.parent, path.resolve().parent, *[path] * path.is_dir()]
        check_outputs({"data_dir": Path(data_dir)}, {f"the folder of {path}": folders})
    job = Job(
        files=files,
        pairs=pairs,
        data_dir=Path(data_dir),
        format=CorpusFormat(**FormatConfig(**form).to_dict()),
        config=PrepareConfig(**preparing),
        cleaning=CleanConfig(**cleaning),
        overwrite=overwrite,
        weights=_checked(weights or {}, files),
        unpaired=others,
        workers=workers,
        page=render,
        dry_run=dry_run,
    )
    return prepare_corpus(job)


def _taken_apart(given: Any) -> tuple[Sequence[Path], Pairs | None]:
    """Returns the files or the pairs, depending on the type of the first item."""
    if isinstance(given, str | Path):
        return [Path(given)], None
    items = iter(given)
    try:
        first = next(items)
    except StopIteration:
        raise CorpusError(
            "nothing to prepare: give a file, several files, or pairs of an article "
            "and its headline"
        ) from None
    if isinstance(first, str | Path):
        return [*map(Path, (first, *items))], None
    return [], chain([first], items)


def _checked(
    weights: Mapping[str, float] | Mapping[Path, float], files: Sequence[Path]
) -> dict[Path, float]:
    """Returns the weights by paths.

    Raises:
        ConfigError: a weight belongs to no file, or is out of range.
    """
    for name, factor in weights.items():
        if Path(name) not in files:
            known = ", ".join(map(str, files)) or "no files, only pairs"
            message = f"weights: {str(name)!r} is not one of the files given: {known}"
            raise ConfigError(message, "weights")
        if not 0 < factor <= MOST_WEIGHT:
            wanted = f"a number above 0 and at most {MOST_WEIGHT:g}; got {factor!r}"
            message = f"weights: how often an epoch shows {name} must be {wanted}"
            raise ConfigError(message, "weights")
    return {Path(name): factor for name, factor in weights.items()}
