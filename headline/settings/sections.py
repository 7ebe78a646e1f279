"""All settings, by the section of a TOML file that they belong to."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from headline.settings.base import Config, Setting, offered
from headline.settings.clean import CleanConfig
from headline.settings.commands import (
    FormatConfig,
    GenerateConfig,
    MachineConfig,
    ShardsConfig,
)
from headline.settings.confidence import ConfidenceConfig
from headline.settings.engine import EngineConfig
from headline.settings.hosts import HostsConfig
from headline.settings.model import ModelConfig
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import PresetConfig
from headline.settings.search import DecodeConfig
from headline.settings.serve import ServeConfig
from headline.settings.styles import StyleConfig
from headline.settings.topics import TopicsConfig
from headline.settings.train import TrainConfig

_KINDS: tuple[type[Config], ...] = (
    FormatConfig,
    PrepareConfig,
    CleanConfig,
    PresetConfig,
    TrainConfig,
    ModelConfig,
    DecodeConfig,
    GenerateConfig,
    StyleConfig,
    ConfidenceConfig,
    MachineConfig,
    ShardsConfig,
    EngineConfig,
    ServeConfig,
    TopicsConfig,
    HostsConfig,
)

# Section -> name -> setting.
SECTIONS: Mapping[str, Mapping[str, Setting]] = {
    section: {
        one.name: one
        for kind in _KINDS
        if kind.section == section
        for one in offered(kind)
    }
    for section in dict.fromkeys(kind.section for kind in _KINDS)
}


def owners(name: str) -> list[str]:
    """Returns the sections that have a setting of this name."""
    return [section for section, settings in SECTIONS.items() if name in settings]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns a "did you mean" for the known name closest to ``name``, or ""."""
    found = get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
