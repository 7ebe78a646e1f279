"""Builds the package, and tries its base install where nothing else is installed.

    python -m tests.install [PYTHON...]

builds wheel and sdist into dist/, has twine check them, and installs the wheel into a
fresh environment of each Python, and of the last one the sdist. There it prepares,
generates, evaluates and scores without a backend, and measures the size. A Python that
is not on this machine is skipped with a line.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
PYTHONS = ("python3.11", "python3.12", "python3.13")
MOST_MEGABYTES = 200
# What an environment has before anything is installed.
OWN = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
ABSENT = ("keras", "tensorflow", "jax", "pandas", "pytest", "pyarrow", "openpyxl")
PROGRAM = """
import sys, headline
from importlib.util import find_spec
writer = headline.load("model")
(found,) = writer.write([open("article.txt", encoding="utf-8").read()])
assert found.text and found.error is None
assert "site-packages" in headline.__file__, headline.__file__
assert not [name for name in sys.argv[1:] if find_spec(name)]
assert "jieba" not in sys.modules
"""


class Environment:
    """A virtual environment, and a folder with what its commands read.

    Args:
        python: whose it is.
        folder: an empty one.
    """

    def __init__(self, python: str, folder: Path) -> None:
        self.folder, self.python = folder, folder / "env" / "bin" / "python"
        run([python, "-m", "venv", folder / "env"], folder)

    def install(self, *packages: str | Path) -> None:
        """Installs packages by pip."""
        quiet = ["--quiet", "--disable-pip-version-check"]
        run([self.python, "-m", "pip", "install", *quiet, *packages], self.folder)

    def run(self, *arguments: str | Path) -> str:
        """Runs ``python`` with arguments; returns its stdout."""
        return run([self.python, *arguments], self.folder).stdout

    def megabytes(self) -> float:
        """Returns the size of all that was installed, compiled files included."""
        (site,) = self.folder.glob("env/lib/python*/site-packages")
        parts = [part for part in site.iterdir() if not part.name.startswith(OWN)]
        return sum(map(_bytes, parts)) / 1e6


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def run(
    command: Sequence[str | Path], folder: Path, wanted: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder, where the checkout is not on the path.

    Raises:
        SystemExit: its exit code is another than the wanted one.
    """
    plain = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=plain, capture_output=True, text=True
    )
    if done.returncode != wanted:
        shown = " ".join(map(str, command))
        sys.exit(f"{shown}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def build(python: str) -> tuple[Path, Path]:
    """Returns the wheel and the sdist, which twine has no complaint about."""
    shutil.rmtree(DIST, ignore_errors=True)
    with TemporaryDirectory() as folder:
        tools = Environment(python, Path(folder))
        tools.install("build", "twine")
        tools.run("-m", "build", "--outdir", DIST, ROOT)
        files = sorted(DIST.iterdir())
        print(tools.run("-m", "twine", "check", "--strict", *files), end="")
    (wheel,) = DIST.glob("*.whl")
    (sdist,) = DIST.glob("*.tar.gz")
    return wheel, sdist


def check(python: str, package: Path) -> None:
    """Installs a wheel or an sdist, and uses it.

    Raises:
        SystemExit: something does not work, or takes too much room.
    """
    with TemporaryDirectory() as name:
        environment = Environment(python, Path(name))
        environment.install(package)
        _use(environment)
        _refuse_training(environment)
        size = environment.megabytes()
        print(f"{python}: {package.name} works, {size:.0f} MB with what it needs")
        if size > MOST_MEGABYTES:
            sys.exit(f"that is more than {MOST_MEGABYTES} MB")


def _use(environment: Environment) -> None:
    folder = environment.folder
    shutil.copytree(TRAINED, folder / "model")
    write_pairs(folder / "news.csv", bracket_pairs(300))
    (folder / "article.txt").write_text(bracket_pairs(1)[0][1], "utf-8")
    for command in (
        "prepare news.csv -o data",
        "prepare news.csv -o words --tokenizer word",
        "evaluate -m model data/test.csv",
        "score -m model data/test.csv",
        "generate -m model article.txt --explain page.html",
        "generate -m model news.csv -o written.csv --workers 2",
    ):
        # A warning of jieba's, such as that of pkg_resources, would be an error here.
        warned = ["-W", "error::UserWarning", "-W", "error::DeprecationWarning"]
        environment.run(*warned, "-m", "headline", *command.split())
    environment.run("-c", PROGRAM, *ABSENT)


def _refuse_training(environment: Environment) -> None:
    for command in (
        "train data -o new",
        "find-lr data -m new",
        "topics data",
        "generate -m model article.txt --device gpu",
    ):
        done = run(
            [environment.python, "-m", "headline", *command.split()],
            environment.folder,
            wanted=1,
        )
        (line,) = done.stderr.splitlines()
        if "pip install 'headline[tensorflow]'" not in line:
            sys.exit(f"headline {command} tells nothing of pip: {line}")


def runs(python: str) -> bool:
    """Tells whether there is such a Python, and not only a stand-in for one."""
    if shutil.which(python) is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def main(pythons: Sequence[str]) -> None:
    """Builds the package, and tries it with each Python that is here."""
    present = [python for python in pythons if runs(python)]
    for python in pythons:
        if python not in present:
            print(f"{python}: skipped, it is not on this machine")
    if not present:
        sys.exit("there is no Python to try the package with")
    wheel, sdist = build(present[-1])
    for python in present:
        check(python, wheel)
    check(present[-1], sdist)


if __name__ == "__main__":
    main(sys.argv[1:] or PYTHONS)
