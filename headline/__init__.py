"""Chinese headlines from article text: prepare, train, evaluate, generate.

    import headline

    writer = headline.load("models/news")
    print(writer.write("……").text)

What this module exports is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from headline.api.evaluate import evaluate
    from headline.api.prepare import prepare
    from headline.api.train import train
    from headline.api.writer import Article, Writer, load
    from headline.errors import (
        BundleError,
        ClusterError,
        ConfigError,
        CorpusError,
        DataError,
        HeadlineError,
        Interrupted,
        LockedError,
        TrainingComplete,
        TrainingError,
        WorkerError,
    )
    from headline.evaluation.evaluate import Evaluation
    from headline.generation.explain import Explanation
    from headline.generation.headlines import Headline
    from headline.settings.commands import FormatConfig
    from headline.settings.model import ModelConfig
    from headline.settings.prepare import PrepareConfig
    from headline.settings.search import DecodeConfig
    from headline.settings.train import TrainConfig
    from headline.system.interrupt import Wish

__all__ = [
    "Article",
    "BundleError",
    "ClusterError",
    "ConfigError",
    "CorpusError",
    "DataError",
    "DecodeConfig",
    "Evaluation",
    "Explanation",
    "FormatConfig",
    "Headline",
    "HeadlineError",
    "Interrupted",
    "LockedError",
    "ModelConfig",
    "PrepareConfig",
    "TrainConfig",
    "TrainingComplete",
    "TrainingError",
    "Wish",
    "WorkerError",
    "Writer",
    "__version__",
    "evaluate",
    "load",
    "prepare",
    "train",
]

_MODULES = {
    "api.evaluate": ("evaluate",),
    "api.prepare": ("prepare",),
    "api.train": ("train",),
    "api.writer": ("Article", "Writer", "load"),
    "errors": (
        "BundleError",
        "ClusterError",
        "ConfigError",
        "CorpusError",
        "DataError",
        "HeadlineError",
        "Interrupted",
        "LockedError",
        "TrainingComplete",
        "TrainingError",
        "WorkerError",
    ),
    "evaluation.evaluate": ("Evaluation",),
    "generation.explain": ("Explanation",),
    "generation.headlines": ("Headline",),
    "settings.commands": ("FormatConfig",),
    "settings.model": ("ModelConfig",),
    "settings.prepare": ("PrepareConfig",),
    "settings.search": ("DecodeConfig",),
    "settings.train": ("TrainConfig",),
    "system.interrupt": ("Wish",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Loads what is exported when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
