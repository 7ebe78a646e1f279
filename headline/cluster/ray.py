"""Headlines on a Ray cluster (``pip install 'headline[ray]'``)."""

from pathlib import Path
from typing import Any

from headline.cluster.batches import Batch, BatchWriter
from headline.settings.base import Device
from headline.settings.commands import GenerateConfig


class Headlines:
    """Adds headlines to the batches of a Ray dataset.

    Ray makes one of them in each actor, so that each loads the model once::

        dataset.map_batches(
            Headlines, fn_constructor_args=["/shared/models/news"], concurrency=8
        )

    A batch may be a dict of NumPy arrays, a ``pandas.DataFrame`` or a
    ``pyarrow.Table``; the result is of the same kind.

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

    def __init__(
        self,
        model_dir: Path | str,
        *,
        source_column: str | None = None,
        headline_column: str = "headline",
        with_scores: bool = False,
        device: Device = "cpu",
        **settings: Any,
    ) -> None:
        output = GenerateConfig(
            headline_column=headline_column, with_scores=with_scores
        )
        self._write = BatchWriter.of(
            model_dir,
            settings,
            source_column=source_column,
            output=output,
            device=device,
        )

    def __call__(self, batch: Batch) -> Batch:
        """Returns the batch with headlines; see ``BatchWriter`` for the errors."""
        return self._write(batch)
