"""Imports run one way, and only what trains loads Keras."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "headline"

# Each room may import those above it, never one below.
ROOMS = [
    "errors",
    "system",
    "settings",
    "text",
    "formats",
    "data",
    "network",
    "bundle",
    "engines",
    "search",
    "generation",
    "evaluation",
    "pages",
    "training",
    "api",
    "serving",
    "cluster",
    "cli",
]

# The rooms whose modules may load Keras, and the one module elsewhere.
KERAS = ("network", "training", "engines.keras_engine")
BACKENDS = {"keras", "tensorflow", "jax"}

MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if not path.name.startswith("__")
)


@cache
def imports(name: str, top_level: bool = False) -> frozenset[str]:
    """The modules that a module of ours imports: all of them, or on being loaded."""
    path = PACKAGE / (name.replace(".", "/") + ".py")
    tree = ast.parse(path.read_text("utf-8"))
    found: set[str] = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            # ``from headline.text import normalise`` imports a module as well.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def our_imports(name: str, top_level: bool = False) -> set[str]:
    """The modules of the package that a module imports, without ``headline.``."""
    found = {module.removeprefix("headline.") for module in imports(name, top_level)}
    return found & set(MODULES)


def room_of(name: str) -> str:
    return name.split(".")[0]


@cache
def loads_keras(name: str) -> bool:
    """Whether to import a module is to import Keras, itself or through another."""
    loaded = {module.split(".")[0] for module in imports(name, top_level=True)}
    others = our_imports(name, top_level=True)
    return bool(loaded & BACKENDS) or any(map(loads_keras, others))


def test_every_module_stands_in_a_room() -> None:
    assert {room_of(name) for name in MODULES} == set(ROOMS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_upwards_only(name: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room_of(name)) + 1])
    assert {room_of(other) for other in our_imports(name)} <= allowed


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: our_imports(name) for name in MODULES}
    assert sum(map(len, graph.values())) > len(MODULES)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_keras_is_loaded_where_it_may_be_and_nowhere_else() -> None:
    loading = [name for name in MODULES if loads_keras(name)]
    assert {"network.model", "training.train", "engines.keras_engine"} <= set(loading)
    assert [name for name in loading if not name.startswith(KERAS)] == []


@cache
def texts(name: str) -> frozenset[str]:
    """The texts in a module, but for its docstrings."""
    tree = ast.parse((PACKAGE / (name.replace(".", "/") + ".py")).read_text("utf-8"))
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in told
    )


@pytest.mark.parametrize("part", ["data.json", "rejects.csv", ".npy", "unpaired"])
def test_only_the_store_knows_what_lies_in_a_data_dir(part: str) -> None:
    knowing = [
        name
        for name in MODULES
        if any(text.endswith(part) for text in texts(name)) and room_of(name) != "cli"
    ]
    assert knowing == ["data.store"]


def test_only_the_command_line_sees_click() -> None:
    seen = {room_of(name) for name in MODULES if "click" in imports(name)}
    assert seen == {"cli"}


def test_only_the_server_loads_what_it_alone_needs() -> None:
    own = {"fastapi", "starlette", "pydantic", "uvicorn", "h11", "prometheus_client"}
    needing = {
        room_of(name)
        for name in MODULES
        if {module.split(".")[0] for module in imports(name)} & own
    }
    assert needing == {"serving"}
    loaded = {name for name in MODULES if "serving" in map(room_of, our_imports(name))}
    assert {room_of(name) for name in loaded} == {"serving", "cli"}
    assert [name for name in loaded if room_of(name) == "cli"] == ["cli.serve"]


def loaded_modules(code: str, depth: int = 1) -> set[str]:
    """The modules that a fresh interpreter has after running the code.

    Args:
        depth: the parts of their names that count; 1 for top-level modules.
    """
    code += (
        "\nimport sys"
        f"\nprint(*{{'.'.join(name.split('.')[:{depth}]) for name in sys.modules}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_help_loads_neither_numpy_nor_keras() -> None:
    code = (
        "from headline.cli.main import main\n"
        "main(['train', '--help'], standalone_mode=False)"
    )
    heavy = {"numpy", "keras", "tensorflow", "jax", "jieba", "tqdm", "safetensors"}
    heavy |= {"sacrebleu", "jinja2"}
    loaded = loaded_modules(code)
    assert "click" in loaded
    assert not loaded & heavy


def test_generator_loads_neither_keras_nor_jieba_nor_sacrebleu() -> None:
    code = (
        "import headline.generation.files, headline.evaluation.evaluate\n"
        "import headline.data.prepare"
    )
    heavy = {"keras", "tensorflow", "jax", "jieba", "tqdm", "sacrebleu", "jinja2"}
    loaded = loaded_modules(code)
    assert "numpy" in loaded
    assert not loaded & heavy


def test_what_writes_headlines_loads_no_corpus_and_no_training() -> None:
    code = (
        "import headline.generation.files, headline.generation.explain\n"
        "import headline.generation.parallel"
    )
    loaded = loaded_modules(code, depth=2)
    assert {"headline.generation", "headline.formats", "headline.text"} <= loaded
    others = {f"headline.{room}" for room in ("data", "evaluation", "training", "cli")}
    assert not loaded & others
