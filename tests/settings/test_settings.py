"""Settings: what each may be, what the errors say, and the way to a dict and back."""

import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import ConfigError
from headline.settings.base import Config, Device, Words
from headline.settings.model import ModelConfig
from headline.settings.prepare import PrepareConfig, TokenizerKind
from headline.settings.presets import PRESETS, Preset
from headline.settings.search import DecodeConfig
from headline.settings.train import (
    DROPOUT_EPOCHS,
    EPOCHS,
    FEW_PAIRS,
    LEAST_MINUTES,
    MOST_EPOCHS,
    Schedule,
    TrainConfig,
)

CONFIGS: list[type[Config]] = [PrepareConfig, ModelConfig, DecodeConfig, TrainConfig]
SETTINGS = [(config, setting) for config in CONFIGS for setting in fields(config)]
NUMBERS = [
    (config, setting.name)
    for config, setting in SETTINGS
    if setting.type in (int, float, float | None)
]


def refusal(config: type[Config], **raw: Any) -> str:
    """Returns the message that the settings are refused with."""
    with pytest.raises(ConfigError) as caught:
        config.from_dict(raw)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("config", "name", "allowed", "refused"),
    [
        (PrepareConfig, "tokenizer", ["char", "word"], ["", "Char", None]),
        (PrepareConfig, "vocab_size", [5, 1_000_000], [4, 1_000_001]),
        (PrepareConfig, "min_count", [1, 10**9], [0]),
        (PrepareConfig, "min_source_length", [1, 400], [0]),
        (PrepareConfig, "max_source_length", [10, 10**6], [9]),
        (PrepareConfig, "min_target_length", [1, 48], [0]),
        (PrepareConfig, "max_target_length", [2, 10**6], [1]),
        (PrepareConfig, "valid_size", [0, 0.5], [-0.01, 0.51, 3]),
        (PrepareConfig, "test_size", [0, 0.5], [-0.01, 0.51, 3]),
        (ModelConfig, "vocab_size", [5, 1_000_000], [4, 1_000_001]),
        (ModelConfig, "width", [8, 8192], [0, 9, 8200]),
        (ModelConfig, "encoder_layers", [1, 64], [0, 65]),
        (ModelConfig, "decoder_layers", [1, 64], [0, 65]),
        (ModelConfig, "heads", [1, 2, 128], [-1, 0, 3, 256]),
        (ModelConfig, "dropout", [0, 0.99], [-0.01, 1.0]),
        (ModelConfig, "token_dropout", [0, 0.99], [-0.01, 1.0]),
        (ModelConfig, "bigram_dropout", [0, 0.99], [-0.01, 1.0]),
        (TrainConfig, "dropout_epochs", [0, 0.5, 100.0], [-0.1, math.nan]),
        (DecodeConfig, "beam_size", [1, 1024], [0, 1025]),
        (DecodeConfig, "min_length", [1, 40], [0, 41]),
        (DecodeConfig, "max_length", [1, 1000], [0, 1001]),
        (DecodeConfig, "length_penalty", [0, 2], [-0.01, 2.01]),
        (DecodeConfig, "num_headlines", [1, 1024], [0, 1025]),
        (DecodeConfig, "batch_size", [1, 1024], [0, 1025]),
        (TrainConfig, "epochs", [None, 1, 100_000], [0, 100_001]),
        (TrainConfig, "max_minutes", [None, 0.01, 1e5], [0, -1, 1e6]),
        (TrainConfig, "pretrain_share", [0, 0.99], [-0.01, 1.0]),
        (TrainConfig, "batch_size", [1, 65536], [0, 65537]),
        (TrainConfig, "learning_rate", [1e-9, 9.9], [0, -1e-3, 10]),
        (TrainConfig, "warmup_updates", [0, 10**9], [-1]),
        (TrainConfig, "r_drop", [None, 0, 1000], [-0.01, 1001]),
        (TrainConfig, "schedule", ["linear", "constant"], ["cosine"]),
        (TrainConfig, "clip_norm", [0, 100], [-0.1]),
        (TrainConfig, "seed", [0, 2**31 - 1], [-1, 2**31]),
        (TrainConfig, "device", ["auto", "cpu", "gpu"], ["tpu"]),
        (TrainConfig, "valid_articles", [1, 10**9], [0]),
        (TrainConfig, "samples", [0, 10**9], [-1]),
    ],
)
def test_range_error_names_the_setting_and_what_it_got(
    config: type[Config], name: str, allowed: list[Any], refused: list[Any]
) -> None:
    for value in allowed:
        assert getattr(config.from_dict({name: value}), name) == value
    for value in refused:
        message = refusal(config, **{name: value})
        assert message.startswith(f"{name} must be ")
        assert message.endswith(f"; got {value!r}")


@pytest.mark.parametrize(("config", "name"), NUMBERS)
def test_nan_is_refused(config: type[Config], name: str) -> None:
    assert refusal(config, **{name: math.nan}).startswith(f"{name} must be ")


@pytest.mark.parametrize(("config", "setting"), SETTINGS)
def test_value_of_a_wrong_type_is_refused(config: type[Config], setting: Any) -> None:
    wrong: list[Any] = [[], "3"]
    if setting.type is int:
        wrong += [float(setting.default), True]
    if setting.type is bool:
        wrong += [0, "yes", None]
    if setting.type is str:
        wrong = [[], 3, None]
    if setting.type == Words:
        wrong = [3, [3], {}, None]
    for value in wrong:
        refusal(config, **{setting.name: value})


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"min_source_length": 500}, "max_source_length"),
        ({"min_target_length": 50}, "max_target_length"),
    ],
)
def test_crossed_lengths_are_refused_with_both_names(
    settings: dict[str, int], name: str
) -> None:
    (other, value), *_ = settings.items()

    message = refusal(PrepareConfig, **settings)

    assert message.startswith(f"{name} must be at least {value} ({other}); got ")


@pytest.mark.parametrize("config", CONFIGS)
def test_unknown_setting_is_refused_with_the_known_ones(config: type[Config]) -> None:
    message = refusal(config, beamsize=3)

    assert "'beamsize'" in message
    assert all(setting.name in message for setting in fields(config))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("raw", [None, [], ["vocab_size"], "vocab_size", 3])
def test_settings_that_are_no_mapping_are_refused(
    config: type[Config], raw: Any
) -> None:
    with pytest.raises(ConfigError):
        config.from_dict(raw)


@pytest.mark.parametrize(
    "config",
    [
        PrepareConfig(tokenizer="word", vocab_size=77, valid_size=0.25),
        ModelConfig(width=6, heads=3, dropout=0.25, source_prior=True),
        DecodeConfig(beam_size=7, num_headlines=3, length_penalty=0),
        TrainConfig(max_minutes=2.5, schedule="constant", mixed_precision=True),
        *(config() for config in CONFIGS),
        *(preset.model for preset in PRESETS.values()),
        *(preset.train for preset in PRESETS.values()),
    ],
)
def test_settings_survive_json(config: Config) -> None:
    raw = json.loads(json.dumps(config.to_dict()))

    assert raw.keys() == {setting.name for setting in fields(config)}
    assert type(config).from_dict(raw) == config


def test_what_is_left_out_has_its_default() -> None:
    assert TrainConfig.from_dict({"seed": 3}) == TrainConfig(seed=3)


def test_settings_do_not_change_once_made() -> None:
    config = DecodeConfig()

    with pytest.raises(FrozenInstanceError):
        config.beam_size = 0  # type: ignore[misc]


@given(st.integers(1, 1024), st.integers(1, 1024))
def test_a_group_has_room_for_the_beam_and_the_headlines(
    beam: int, headlines: int
) -> None:
    plain = DecodeConfig(beam_size=beam, num_headlines=headlines)
    diverse = replace(plain, diversity=0.5)

    assert plain.groups == 1 and plain.group_size == max(beam, headlines)
    assert diverse.groups == headlines
    assert diverse.groups * diverse.group_size >= beam


def test_what_articles_of_a_batch_share_leaves_their_own_controls_out() -> None:
    own = DecodeConfig(beam_size=7, prefix="北京", avoid=("美国",), max_length=9)

    assert own.shared == DecodeConfig(beam_size=7)


@pytest.mark.parametrize("name", ["must_include", "avoid"])
def test_words_come_as_a_list_or_as_one(name: str) -> None:
    lists = DecodeConfig.from_dict({name: ["中国", "5G"]})

    assert lists == DecodeConfig.from_dict(lists.to_dict())
    assert getattr(lists, name) == ("中国", "5G")
    assert getattr(DecodeConfig.from_dict({name: "中国"}), name) == ("中国",)
    for wrong in ([1], [""], [" "], 5, None):
        with pytest.raises(ConfigError, match=name):
            DecodeConfig.from_dict({name: wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_p": 0.9},
        {"temperature": 0.5},
        {"sample": True, "diversity": 0.5},
        {"sample": True, "top_p": 0.0},
        {"sample": True, "temperature": 0.0},
        {"target_length": 41},
        {"no_repeat_ngram_size": -1},
        {"diversity": float("nan")},
        {"prefix": 5},
        {"length_penalty": "much"},
    ],
)
def test_decode_settings_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        DecodeConfig.from_dict(wrong)
    assert caught.value.setting in wrong


def test_the_default_epochs_hold_only_without_a_limit_of_minutes() -> None:
    assert TrainConfig().most_epochs == EPOCHS == 20
    assert TrainConfig(max_minutes=60.0).most_epochs == MOST_EPOCHS
    for minutes in (None, 60.0):
        assert TrainConfig(epochs=7, max_minutes=minutes).most_epochs == 7
    for preset in PRESETS.values():
        assert preset.train.epochs is None


@pytest.mark.parametrize("name", ["epochs", "max_minutes", "r_drop"])
def test_a_setting_that_may_be_none_has_a_type_all_the_same(name: str) -> None:
    for wrong in ("3", True, *([2.5] if name == "epochs" else [])):
        assert refusal(TrainConfig, **{name: wrong}).startswith(f"{name} must be ")


def test_few_pairs_have_all_dropout_from_the_start() -> None:
    plain = TrainConfig()
    assert plain.fitted(FEW_PAIRS, fresh=True).dropout_epochs == DROPOUT_EPOCHS
    for fresh in (True, False):
        assert plain.fitted(FEW_PAIRS - 1, fresh).dropout_epochs == 0
    assert replace(plain, dropout_epochs=2.0).fitted(5, fresh=True).dropout_epochs == 2


def test_few_pairs_are_read_twice_by_a_model_that_begins() -> None:
    plain = TrainConfig()
    assert plain.fitted(FEW_PAIRS - 1, fresh=True).r_drop == 1
    assert plain.fitted(FEW_PAIRS, fresh=True).r_drop == 0
    assert plain.fitted(FEW_PAIRS - 1, fresh=False).r_drop == 0
    for minutes, expected in ((LEAST_MINUTES, 1), (LEAST_MINUTES - 0.1, 0)):
        short = replace(plain, max_minutes=minutes)
        assert short.fitted(5, fresh=True).r_drop == expected
    for weight in (0.0, 4.0):
        own = replace(plain, r_drop=weight, dropout_epochs=1.0)
        assert own.fitted(5, fresh=True) == own
    assert PRESETS["seed"].train.r_drop == 0


def test_pointer_preset_is_what_the_defaults_are() -> None:
    assert PRESETS["pointer"] == Preset(model=ModelConfig(), train=TrainConfig())


def test_seed_preset_is_the_model_of_2018() -> None:
    preset = PRESETS["seed"]
    model, default = preset.model.to_dict(), ModelConfig().to_dict()

    changed = {name for name in model if model[name] != default[name]}
    parts = {"pointer", "match_length", "bigrams", "source_prior", "conditional_norm"}
    assert changed == {"dropout", "token_dropout", "encoder_layers", *parts}
    assert not model["match_length"] and not model["bigrams"]
    assert model["width"] == 8 * 16
    assert model["heads"] == 8
    assert not model["pointer"]
    assert preset.train.schedule == "constant"


@pytest.mark.parametrize(
    ("config", "name", "kind"),
    [
        (PrepareConfig, "tokenizer", TokenizerKind),
        (TrainConfig, "schedule", Schedule),
        (TrainConfig, "device", Device),
    ],
)
def test_message_lists_the_choices(config: type[Config], name: str, kind: Any) -> None:
    message = refusal(config, **{name: "none of them"})

    assert f"one of {', '.join(get_args(kind))};" in message
