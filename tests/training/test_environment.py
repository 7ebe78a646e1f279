"""What is told of the machine: enough to understand a training, nothing personal."""

import os
import platform
import re

import keras

from headline.training.environment import environment


def test_versions_backend_and_device_are_told() -> None:
    found = environment()
    assert found["keras"] == keras.__version__
    assert re.fullmatch(rf"{keras.backend.backend()} \d+\.\d+\S*", found["backend"])
    assert found["python"] == platform.python_version()
    assert found["device"] and int(found["processors"]) == os.cpu_count()


def test_nothing_else_is_told() -> None:
    found = environment()
    assert set(found) == {
        "headline",
        "python",
        "keras",
        "backend",
        "numpy",
        "device",
        "processors",
        "platform",
    }
    assert os.sep not in " ".join(found.values())
