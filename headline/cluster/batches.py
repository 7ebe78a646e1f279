"""``BatchWriter``: batches of rows in, the same rows with headlines out.

Pipelines of Ray and Spark that belong to users call it on their workers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from headline.api.settings import SEARCH, search_with
from headline.cluster.settings import ShardSettings
from headline.errors import ConfigError
from headline.formats.columns import SOURCE_COLUMNS, same_name
from headline.formats.records import as_text
from headline.formats.registry import Cell, check_new
from headline.generation.generator import Generator
from headline.generation.new_columns import NewColumns
from headline.settings.base import Device
from headline.settings.commands import FormatConfig, GenerateConfig
from headline.settings.search import GPU_BATCH
from headline.system.blas import blas_threads

# Columns by name: a dict of NumPy arrays, a pandas.DataFrame, a pyarrow.Table or a
# pyarrow.RecordBatch.
Batch = Any


@dataclass(frozen=True)
class BatchWriter:
    """Adds columns of headlines to batches of rows.

    It pickles as the folder of the model and the settings, without arrays, and loads
    the model when it gets its first batch.

    Attributes:
        settings: the model, and how it is used.
        columns: what is added.
    """

    settings: ShardSettings
    columns: NewColumns

    @classmethod
    def of(
        cls,
        model_dir: Path | str,
        search: Mapping[str, Any],
        *,
        source_column: str | None,
        output: GenerateConfig,
        device: Device,
    ) -> Self:
        """Checks the model and the settings.

        Args:
            search: settings of the search, by name; see ``DecodeConfig``.
            source_column: column of the articles; None for one with a usual name.
            output: names the new columns.

        Raises:
            BundleError: the folder holds no model, or a damaged one.
            ConfigError: a setting is unknown or out of range, or two of them
                contradict each other.
        """
        own = ShardSettings.of(
            Path(model_dir).absolute(),
            form=FormatConfig(source_column=source_column),
            output=output,
        )
        generator = own.generator()
        size = {"batch_size": GPU_BATCH} if device == "gpu" else {}
        config = search_with(own.search, {**size, **search}, SEARCH)
        generator.check(config)
        columns = NewColumns(
            output.headline_column,
            output.with_scores,
            generator.written(config),
            config.styles,
        )
        return cls(replace(own, search=config, device=device), columns)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("generator", None)
        return state

    @cached_property
    def generator(self) -> Generator:
        """The model, loaded once; see ``ShardSettings.generator`` for the errors."""
        return self.settings.generator()

    @property
    def added(self) -> dict[str, bool]:
        """The names of the new columns, and whether each holds scores, not texts."""
        new = self.columns.names
        return {name: name in new.scores for name in new.columns}

    def __call__(self, batch: Batch) -> Batch:
        """Returns the batch with the new columns; the batch itself does not change.

        Raises:
            ConfigError: there is no column of articles.
            CorpusError: a new column exists already.
        """
        names = _names(batch)
        check_new(names, [*self.added])
        articles = _values(batch, source_of(names, self.settings.form.source_column))
        cells = self._cells([as_text(article) or "" for article in articles])
        return _extended(batch, dict(zip(self.added, cells, strict=True)), self.added)

    def _cells(self, articles: Sequence[str]) -> list[list[Cell | None]]:
        """Returns the new columns; None stands where an article has fewer headlines."""
        with blas_threads(1):
            found = self.generator.generate(articles)
        new = self.columns
        rows = [
            new.added(one, new.num_headlines, new.with_styles, None).cells
            for one in found
        ]
        return [
            [row[place] if place < len(row) else None for row in rows]
            for place in range(len(self.added))
        ]


def source_of(names: Iterable[str], wanted: str | None) -> str:
    """Returns the name of the column of articles.

    Args:
        wanted: its name; None for the first with a usual name.

    Raises:
        ConfigError: there is no such column.
    """
    names = [*names]
    if wanted is not None:
        found = [name for name in names if name == wanted]
    else:
        found = [
            name for usual in SOURCE_COLUMNS for name in names if same_name(name, usual)
        ]
    if not found:
        sought = "of articles" if wanted is None else repr(wanted)
        raise ConfigError(
            f"there is no column {sought} among {', '.join(names)}: name it with "
            "source_column",
            "source_column",
        )
    return found[0]


# --- the kinds of batches -------------------------------------------------------------


def _names(batch: Batch) -> list[str]:
    """Returns the names of the columns."""
    if hasattr(batch, "schema"):  # pyarrow
        return list(batch.schema.names)
    return list(batch)


def _values(batch: Batch, name: str) -> list[Any]:
    column = batch[name]
    values = column.to_pylist() if hasattr(column, "to_pylist") else column.tolist()
    return list(values)


def _extended(
    batch: Batch, cells: Mapping[str, list[Any]], added: Mapping[str, bool]
) -> Batch:
    """Returns a batch of the same kind with more columns.

    Args:
        added: whether each of them holds numbers, not texts.
    """
    if hasattr(batch, "schema"):
        return _arrow(batch, cells, added)
    import numpy as np

    arrays = {
        name: np.array(values, np.float64 if added[name] else object)
        for name, values in cells.items()
    }
    return batch.assign(**arrays) if hasattr(batch, "assign") else {**batch, **arrays}


def _arrow(
    batch: Batch, cells: Mapping[str, list[Any]], added: Mapping[str, bool]
) -> Batch:
    import pyarrow as pa

    for name, values in cells.items():
        kind = pa.float64() if added[name] else pa.string()
        batch = batch.append_column(name, pa.array(values, kind))
    return batch
