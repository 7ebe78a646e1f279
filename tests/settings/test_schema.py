"""What is known of each setting: complete, plain, and true."""

import math
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.errors import ConfigError
from headline.formats.tables import CorpusFormat
from headline.generation.files import Task
from headline.settings.base import Config, Kind, Level, Range, Setting, offered, schema
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
from headline.settings.presets import PRESETS, PresetConfig
from headline.settings.search import DecodeConfig
from headline.settings.sections import SECTIONS
from headline.settings.serve import ServeConfig
from headline.settings.styles import StyleConfig
from headline.settings.topics import TopicsConfig
from headline.settings.train import TrainConfig

KINDS: list[type[Config]] = [
    PrepareConfig,
    CleanConfig,
    PresetConfig,
    TrainConfig,
    ModelConfig,
    DecodeConfig,
    FormatConfig,
    GenerateConfig,
    MachineConfig,
    ShardsConfig,
    EngineConfig,
    ServeConfig,
    TopicsConfig,
    StyleConfig,
    HostsConfig,
    ConfidenceConfig,
]
ALL = [(kind, one) for kind in KINDS for one in schema(kind)]


@pytest.mark.parametrize(("kind", "one"), ALL)
def test_each_setting_says_what_it_is(kind: type[Config], one: Setting) -> None:
    about = one.about
    assert about.help.endswith(".") and about.help[0].isupper()
    assert len(about.help) <= 180  # two lines, or a little more
    assert about.level in get_args(Level) and one.kind in get_args(Kind)
    assert bool(about.group) == (about.level != "internal")
    assert isinstance(one.default, int | float | str | tuple | None)
    assert one.fault(one.default) is None and one.optional == (one.default is None)
    assert bool(about.default_text) >= one.optional
    assert (one.kind in ("int", "float")) >= bool(one.range_text)


def test_only_the_program_itself_sets_what_is_not_offered() -> None:
    hidden = {one.name for kind in KINDS for one in schema(kind)}
    hidden -= {one.name for kind in KINDS for one in offered(kind)}
    assert hidden == {"pointer", "source_prior", "conditional_norm", "by_chance"}
    assert [one.name for one in schema(ModelConfig) if one.name == "vocab_size"]
    assert "vocab_size" not in SECTIONS["model"]


def test_each_kind_has_a_section() -> None:
    assert set(SECTIONS) == {kind.section for kind in KINDS}
    for kind in KINDS:
        for one in offered(kind):
            assert SECTIONS[kind.section][one.name] is one
    assert sum(map(len, SECTIONS.values())) == sum(len(offered(kind)) for kind in KINDS)


def test_defaults_are_the_same_wherever_they_stand() -> None:
    form, task = FormatConfig(), GenerateConfig()
    assert form.to_dict().items() <= vars(CorpusFormat()).items()
    defaults = {"headline_column": Task.column, "lines": Task.lines}
    assert task.to_dict() == defaults | {"with_scores": Task.with_scores}
    (preset,) = schema(PresetConfig)
    assert set(preset.choices) == set(PRESETS) and preset.default in PRESETS


@pytest.mark.parametrize(
    ("bounds", "kind", "text", "inside", "outside"),
    [
        ({}, "int", "", [0, -(10**9)], [math.nan]),
        ({"low": 1}, "int", "at least 1", [1, 10**9], [0]),
        ({"low": 1, "high": 8}, "int", "1 to 8", [1, 8], [0, 9]),
        ({"low": 0, "high": 0.5}, "float", "between 0 and 0.5", [0.5], [-0.1, 0.51]),
        ({"low": 0, "below": 1}, "float", "at least 0 and below 1", [0], [1]),
        ({"above": 0}, "float", "above 0", [1e-9, math.inf], [0, math.nan]),
        ({"above": 0, "high": 1}, "float", "above 0 and at most 1", [1], [0, 1.1]),
        ({"low": 5, "high": 9, "also": 0}, "int", "0, or 5 to 9", [0, 5, 9], [1, 4]),
        ({"low": 0, "high": 2**24}, "int", "0 to 16777216", [2**24], [2**24 + 1]),
    ],
)
def test_a_range_is_told_as_it_is_checked(
    bounds: dict[str, float],
    kind: Kind,
    text: str,
    inside: list[float],
    outside: list[float],
) -> None:
    range_ = Range(**bounds)
    assert range_.text(kind) == text
    assert all(map(range_.holds, inside)) and not any(map(range_.holds, outside))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.sampled_from(ALL), st.one_of(st.integers(), st.floats(), st.text()))
def test_a_setting_alone_is_refused_as_its_kind_refuses_it(
    which: tuple[type[Config], Setting], value: Any
) -> None:
    """What ``fault`` lets through may still not go with other settings."""
    kind, one = which
    if one.fault(value) is not None and one.kind != "words":
        with pytest.raises(ConfigError, match=f"{one.name} must be"):
            kind.from_dict({one.name: value})
