"""What native code prints is kept back, and shown when something fails."""

import os
import subprocess
import sys
from collections.abc import Callable

import keras
import pytest

from headline.errors import TrainingError
from headline.network import backend
from headline.network.backend import choose_backend, select_device
from headline.system.workers import cores

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


@pytest.mark.parametrize(
    "error", ["HeadlineError('it')", "OSError(24, 'Too many open files')"]
)
def test_what_is_no_bug_shows_no_native_notes(error: str) -> None:
    shown = stderr_of(f"raise {error}")
    assert "native note" not in shown and "Error" in shown
    assert "native note" not in stderr_of("raise SystemExit(143)")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no full device")
def test_a_full_stderr_ends_no_body() -> None:
    code = SCRIPT.format(end="print('done', flush=True)")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=-1, stderr=full, env={}
        )
    assert done.stdout == b"done\n"


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
from headline.network.backend import share_cores
share_cores()
print(tf.config.threading.get_intra_op_parallelism_threads())
share_cores()
"""
    asked = {"TF_NUM_INTRAOP_THREADS": "3"}
    # The tests themselves say how.
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


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes these packages, by words, seem to be all that are installed."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.delenv("KERAS_BACKEND")

    def install(packages: str) -> None:
        monkeypatch.setattr(backend, "_is_installed", packages.split().__contains__)

    return install


@pytest.mark.parametrize(
    ("packages", "asked", "chosen"),
    [
        ("keras tensorflow", None, None),
        ("keras tensorflow jax", None, None),
        ("keras jax", None, "jax"),
        ("keras jax", "jax", "jax"),
        ("keras", "torch", "torch"),
    ],
)
def test_keras_takes_the_backend_that_is_there(
    installs: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    packages: str,
    asked: str | None,
    chosen: str | None,
) -> None:
    installs(packages)
    if asked:
        monkeypatch.setenv("KERAS_BACKEND", asked)
    choose_backend()
    assert os.environ.get("KERAS_BACKEND") == chosen


@pytest.mark.parametrize(
    ("packages", "asked", "told"),
    [
        ("", None, r"'headline\[tensorflow\]', or 'headline\[jax\]'"),
        ("keras", None, r"pip install 'headline\[tensorflow\]'"),
        ("tensorflow", None, r"pip install 'headline\[tensorflow\]'"),
        ("keras tensorflow", "jax", r"KERAS_BACKEND is jax.*'headline\[jax\]'"),
    ],
)
def test_without_a_backend_one_line_says_what_to_install(
    installs: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    packages: str,
    asked: str | None,
    told: str,
) -> None:
    installs(packages)
    if asked:
        monkeypatch.setenv("KERAS_BACKEND", asked)
    with pytest.raises(TrainingError, match=told) as error:
        choose_backend()
    assert "\n" not in str(error.value)
