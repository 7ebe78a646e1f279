"""Imports run one way, and only training loads Keras."""

import ast
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "headline"

# Each module may import those above it, never one below.
ORDER = [
    "errors",
    "interrupt",
    "streams",
    "files",
    "outputs",
    "folders",
    "workers",
    "progress",
    "config",
    "text",
    "runs",
    "words",
    "tokenizer",
    "data.detect",
    "data.lines",
    "data.columns",
    "data.dialects",
    "data.records",
    "data.tables",
    "data.digests",
    "data.corpus",
    "data.pseudo",
    "data.mixture",
    "data.dataset",
    "data.summary",
    "data.spool",
    "data.encoding",
    "data.prepare",
    "network.weights",
    "network.shapes",
    "network.backend",
    "network.recurrence",
    "network.dropout",
    "network.layers",
    "network.distributions",
    "network.model",
    "bundle",
    "engines.base",
    "engines.rows",
    "engines.numpy_layers",
    "engines.numpy_output",
    "engines.numpy_engine",
    "engines.keras_engine",
    "search.beams",
    "search.constraints",
    "search.rules",
    "search.sampling",
    "search.beam_search",
    "search.consensus",
    "generator",
    "parallel",
    "articles",
    "explain",
    "places",
    "evaluation.metrics",
    "evaluation.significance",
    "evaluation.scores",
    "evaluation.predictions",
    "evaluation.evaluate",
    "evaluation.scoring",
    "pages.page",
    "pages.axis",
    "pages.chart",
    "pages.heat_map",
    "pages.explain_page",
    "pages.sample_view",
    "pages.report",
    "training.environment",
    "training.phases",
    "training.progress",
    "training.watch",
    "training.find_lr",
    "training.tensorboard",
    "training.callbacks",
    "training.shortlist",
    "training.batches",
    "training.validation",
    "training.optimizers",
    "training.transfer",
    "training.train",
    "options",
    "cli",
]

KERAS = {
    "network.recurrence",
    "network.dropout",
    "network.layers",
    "network.distributions",
    "network.model",
    "engines.keras_engine",
    "training.progress",
    "training.watch",
    "training.find_lr",
    "training.tensorboard",
    "training.callbacks",
    "training.batches",
    "training.validation",
    "training.optimizers",
    "training.transfer",
    "training.train",
}
BACKENDS = {"keras", "tensorflow", "jax"}


def module_path(name: str) -> Path:
    return PACKAGE / (name.replace(".", "/") + ".py")


def imports(name: str, top_level: bool = False) -> set[str]:
    """The modules that a module of ours imports: all of them, or on being loaded."""
    tree = ast.parse(module_path(name).read_text("utf-8"))
    nodes = tree.body if top_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_order_names_every_module() -> None:
    found = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if not path.name.startswith("__")
    }
    assert found == set(ORDER)


def test_the_modules_of_a_folder_stand_together() -> None:
    """So folders import one way as well."""
    folders = [
        folder for folder, _ in groupby(ORDER, key=lambda name: name.split(".")[0])
    ]
    assert len(folders) == len(set(folders))


@pytest.mark.parametrize("name", ORDER)
def test_imports_run_upwards_only(name: str) -> None:
    allowed = {f"headline.{other}" for other in ORDER[: ORDER.index(name)]}
    ours = {module for module in imports(name) if module.startswith("headline.")}
    assert ours <= allowed


@pytest.mark.parametrize("name", [name for name in ORDER if name not in KERAS])
def test_only_the_named_modules_load_keras(name: str) -> None:
    loaded = imports(name, top_level=True)
    assert not {module.split(".")[0] for module in loaded} & BACKENDS
    assert not {module.removeprefix("headline.") for module in loaded} & KERAS


def test_below_the_command_line_nothing_sees_click() -> None:
    for name in ORDER:
        assert ("click" in imports(name)) == (name in ("options", "cli"))


def loaded_modules(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running the code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_help_loads_neither_numpy_nor_keras() -> None:
    code = "from headline.cli import main; main(['train', '--help'], standalone_mode=0)"
    heavy = {"numpy", "keras", "tensorflow", "jax", "jieba", "tqdm", "safetensors"}
    heavy |= {"sacrebleu"}
    assert not loaded_modules(code) & heavy


def test_generator_loads_neither_keras_nor_jieba_nor_sacrebleu() -> None:
    code = (
        "import headline.articles, headline.evaluation.evaluate, headline.data.prepare"
    )
    heavy = {"keras", "tensorflow", "jax", "jieba", "tqdm", "sacrebleu"}
    assert not loaded_modules(code) & heavy
