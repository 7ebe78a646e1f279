"""Headlines on a Spark cluster (``pip install 'headline[spark]'``, and Java).

``headlines`` is for a pipeline of your own. To turn files into files, run

    python -m headline.cluster.spark IN OUT -m MODEL_DIR

or give this file to ``spark-submit``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from headline.cluster.batches import Batch, BatchWriter, source_of
from headline.formats.registry import check_new
from headline.settings.base import Device
from headline.settings.commands import GenerateConfig
from headline.system.packages import optional

Schema = Any  # pyspark.sql.types.StructType


def headlines(
    model_dir: Path | str,
    *,
    source_column: str | None = None,
    headline_column: str = "headline",
    with_scores: bool = False,
    device: Device = "cpu",
    **settings: Any,
) -> "SparkHeadlines":
    """Returns a function for ``DataFrame.mapInArrow``, which adds headlines to rows.

    Each Python worker of Spark loads the model once::

        write = headlines("/shared/models/news", max_length=20)
        df.mapInArrow(write, write.schema(df.schema))

    Args:
        model_dir: folder of the model, at the same place on each machine.
        source_column: column of the articles; the first with a usual name, such as
            content or text, if left out.
        headline_column: name of the new column. With ``num_headlines`` there are more,
            headline_2 and so on.
        with_scores: whether to add the log-probability of each headline.
        device: "cpu" needs NumPy alone, "gpu" loads Keras.
        settings: of the search, such as ``max_length=12``; see ``DecodeConfig``.

    Raises:
        BundleError: the folder holds no model, or a damaged one.
        ConfigError: a setting is unknown or out of range, or two of them contradict
            each other.
    """
    output = GenerateConfig(headline_column=headline_column, with_scores=with_scores)
    writer = BatchWriter.of(
        model_dir,
        settings,
        source_column=source_column,
        output=output,
        device=device,
    )
    return SparkHeadlines(writer)


@dataclass(frozen=True)
class SparkHeadlines:
    """A function for ``DataFrame.mapInArrow``; made by ``headlines``."""

    writer: BatchWriter

    def schema(self, schema: Schema) -> Schema:
        """Returns the schema of the rows with headlines.

        Args:
            schema: of the rows without headlines, a ``StructType``.

        Raises:
            ConfigError: there is no column of articles.
            CorpusError: a new column exists already.
            HeadlineError: pyspark is not installed.
        """
        types = optional("pyspark.sql.types", "spark", "a schema of Spark")
        source_of(schema.names, self.writer.settings.form.source_column)
        check_new(schema.names, [*self.writer.added])
        fields = [
            types.StructField(
                name, types.DoubleType() if is_score else types.StringType()
            )
            for name, is_score in self.writer.added.items()
        ]
        return types.StructType([*schema.fields, *fields])

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yields each ``pyarrow.RecordBatch`` with headlines."""
        return map(_kept(self.writer), batches)


@lru_cache(maxsize=1)
def _kept(writer: BatchWriter) -> BatchWriter:
    """Returns the writer with this content that has loaded its model, if there is one.

    Spark unpickles the function for each task, but a Python worker runs many tasks.
    """
    return writer


if __name__ == "__main__":
    from headline.cluster.spark_command import main

    main()
