"""Event files as TensorBoard would read them, for the tests of training."""

from collections import defaultdict
from pathlib import Path
from typing import Any


def read_events(folder: Path) -> dict[str, dict[int, Any]]:
    """Returns the number, or the text, of each tag at each update."""
    import tensorflow as tf

    found: dict[str, dict[int, Any]] = defaultdict(dict)
    # A reader that checks the checksum of every record.
    records = tf.data.TFRecordDataset([str(path) for path in sorted(folder.iterdir())])
    for record in records.as_numpy_iterator():
        event = tf.compat.v1.Event.FromString(record)
        for value in event.summary.value:
            found[value.tag][event.step] = (
                tf.make_ndarray(value.tensor).item().decode("utf-8")
                if value.HasField("tensor")
                else value.simple_value
            )
    return found
