"""``import headline`` is quick, and loads what is used when it is used."""

import subprocess
import sys

import pytest

import headline


def test_every_export_is_there() -> None:
    assert set(headline.__all__) <= set(dir(headline))
    for name in headline.__all__:
        assert getattr(headline, name) is getattr(headline, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = headline.nothing


def test_every_error_is_exported() -> None:
    errors = {
        name
        for name, value in vars(headline.errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert errors <= set(headline.__all__)


MEASURE = """
import sys, time
begin = time.process_time()
import headline
headline.__all__, dir(headline)
print(time.process_time() - begin)
assert not {"numpy", "click", "keras"} & set(sys.modules)
headline.HeadlineError, headline.DecodeConfig, headline.Wish
assert "numpy" not in sys.modules
headline.load, headline.prepare, headline.evaluate, headline.train
assert "numpy" in sys.modules
assert not {"keras", "tensorflow", "jax", "click", "jieba"} & set(sys.modules)
"""


def test_the_import_takes_little_time_and_no_numpy() -> None:
    def measured() -> float:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    assert min(measured() for _ in range(3)) < 0.05  # seconds of CPU time
