"""What native code prints is kept back, and shown when something fails."""

import os
import subprocess
import sys

import keras
import pytest

from headline.errors import TrainingError
from headline.network.backend import select_device
from headline.workers import cores

SCRIPT = """
import os, sys
from headline.network.backend import muted_native_stderr
from headline.errors import HeadlineError
with muted_native_stderr():
    os.write(2, b"native note\\n")
    print("python line", file=sys.stderr)
    {end}
print("after", file=sys.stderr)
os.write(2, b"native after\\n")
"""


def stderr_of(end: str, **environment: str) -> str:
    code = SCRIPT.format(end=end)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    return done.stderr


def test_native_notes_are_kept_back_and_python_still_prints() -> None:
    shown = stderr_of("pass")
    assert shown.splitlines() == ["python line", "after", "native after"]


def test_native_notes_are_shown_when_a_bug_ends_the_body() -> None:
    shown = stderr_of("1 / 0")
    assert "native note" in shown and "ZeroDivisionError" in shown


def test_an_error_of_the_user_shows_no_native_notes() -> None:
    shown = stderr_of("raise HeadlineError('mend it')")
    assert "native note" not in shown and "mend it" in shown


def test_whoever_sets_a_log_level_sees_the_notes() -> None:
    assert "native note" in stderr_of("pass", TF_CPP_MIN_LOG_LEVEL="0")


def test_a_gpu_that_is_not_there_is_an_error_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headline.network.backend._has_gpu", lambda backend: False)
    with pytest.raises(TrainingError, match="--device cpu"):
        select_device("gpu")
    select_device("auto")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
def test_operations_share_the_cores_unless_somebody_says_how() -> None:
    code = """
import tensorflow as tf
from headline.network.backend import select_device
select_device("cpu")
print(tf.config.threading.get_intra_op_parallelism_threads())
select_device("cpu")
"""
    asked = {"TF_NUM_INTRAOP_THREADS": "3"}
    others = {name: os.environ[name] for name in os.environ.keys() - asked.keys()}
    for environment, expected in ((others, max(1, cores() // 2)), (others | asked, 0)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert int(done.stdout) == expected
