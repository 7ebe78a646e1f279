"""The event file, read back record by record."""

from pathlib import Path

import pytest
import tensorflow as tf

from headline.errors import TrainingError
from headline.training.tensorboard import EventFile
from tests.events import read_events


def test_numbers_and_texts_stand_at_their_updates(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "new" / "events")
    file.numbers(7, {"loss": 2.5, "rouge": 40.25})
    file.texts(9, {"sample": "标题 <b>*"})
    # Read before it is closed: a training may end at any time.
    assert read_events(tmp_path / "new" / "events") == {
        "loss": {7: 2.5},
        "rouge": {7: 40.25},
        "sample": {9: "标题 <b>*"},
    }
    file.close()


def test_a_file_is_one_that_tensorboard_finds_and_knows(tmp_path: Path) -> None:
    EventFile(tmp_path, update=30).close()
    (path,) = tmp_path.iterdir()
    assert "tfevents" in path.name
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    first, second = (tf.compat.v1.Event.FromString(record) for record in records)
    assert first.file_version == "brain.Event:2"
    # What an older file says of the updates from here on is void.
    assert (
        second.step == 30 and second.session_log.status == tf.compat.v1.SessionLog.START
    )


def test_each_training_has_a_file_of_its_own(tmp_path: Path) -> None:
    files = [EventFile(tmp_path), EventFile(tmp_path)]
    assert len(list(tmp_path.iterdir())) == len(files)
    for file in files:
        file.close()


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"cannot write .*file/events: "):
        EventFile(tmp_path / "file" / "events")
