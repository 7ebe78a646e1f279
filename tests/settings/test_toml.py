"""Settings in a TOML file: what is written can be read, and errors name the place."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.errors import ConfigError
from headline.settings.base import Setting
from headline.settings.sections import SECTIONS
from headline.settings.toml import from_text, read_settings, to_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ALL = [(section, one) for section in SECTIONS for one in SECTIONS[section].values()]


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def refusal(path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_settings(written(path, text))
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path))
    return message.removeprefix(str(path))


def test_the_defaults_of_all_settings_can_be_read_back(tmp_path: Path) -> None:
    pairs = {
        section: [(one, one.default) for one in settings.values()]
        for section, settings in SECTIONS.items()
    }
    text = to_toml(pairs)

    found = read_settings(written(tmp_path / "all.toml", text))

    assert found == {
        section: {one.name: value for one, value in some if value is not None}
        for section, some in pairs.items()
    }
    for _, one in ALL:  # also those that are not set
        assert f"\n{one.name} = " in text or f"\n# {one.name} = " in text
    assert max(map(len, text.splitlines())) <= 120


@settings(derandomize=True, deadline=None, max_examples=200)
@given(prefix=TEXT, words=st.lists(TEXT), share=st.floats(0, 2), flag=st.booleans())
def test_any_text_and_number_survives(
    tmp_path_factory: pytest.TempPathFactory,
    prefix: str,
    words: list[str],
    share: float,
    flag: bool,
) -> None:
    values = {
        "prefix": prefix,
        "avoid": tuple(words),
        "length_penalty": share,
        "sample": flag,
    }
    known = SECTIONS["search"]
    text = to_toml({"search": [(known[name], values[name]) for name in values]})
    path = tmp_path_factory.getbasetemp() / "any.toml"
    assert read_settings(written(path, text)) == {"search": values}


@pytest.mark.parametrize(
    "text", ['"\\', "\x7f\x00\x1f\t\r\n", "'''\"\"\"#", "\u2028\x85"]
)
def test_what_toml_escapes_is_escaped(tmp_path: Path, text: str) -> None:
    prefix = SECTIONS["search"]["prefix"]
    path = tmp_path / "a.toml"
    # As bytes, for Python's own text files change line ends.
    path.write_bytes(to_toml({"search": [(prefix, text)]}).encode())
    assert read_settings(path) == {"search": {"prefix": text}}


def test_bytes_that_are_no_text_cannot_be_written() -> None:
    prefix = SECTIONS["search"]["prefix"]
    with pytest.raises(ConfigError, match="has bytes that are not valid UTF-8"):
        to_toml({"search": [(prefix, "\udcff")]})


def test_an_infinite_number_is_written_as_toml_has_it(tmp_path: Path) -> None:
    norm = SECTIONS["train"]["clip_norm"]
    path = written(tmp_path / "a.toml", to_toml({"train": [(norm, math.inf)]}))
    assert read_settings(path) == {"train": {"clip_norm": math.inf}}


def test_values_come_as_options_would_give_them(tmp_path: Path) -> None:
    text = '\ufeff[search]\nlength_penalty = 0\navoid = "一"\nmust_include = ["二"]\n'
    found = read_settings(written(tmp_path / "a.toml", text))["search"]
    assert found == {"length_penalty": 0, "avoid": ("一",), "must_include": ("二",)}
    assert type(found["length_penalty"]) is float


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[serch]\nseed = 3", ["unknown section [serch]", "did you mean search?"]),
        ("[xyz]", ["unknown section [xyz]", "choose from: format, prepare"]),
        ("beam_size = 3", ["'beam_size' stands outside", "below [search]"]),
        ("seed = 3", ["'seed' stands outside", "[train] or [search]"]),
        ("beamsize = 3", ["'beamsize' stands outside of a section"]),
        ("search = 3", ["search must be a section", "[search]"]),
        (
            "[search]\nbeamsize = 3",
            ["[search] has no setting 'beamsize'", "beam_size?"],
        ),
        ("[search]\nwidth = 3", ["[search] has no setting 'width'"]),
        ("[model]\nvocab_size = 9", ["[model] has no setting 'vocab_size'"]),
        ("[search]\nbeam_size = '3'", ["search.beam_size must be of type int", "'3'"]),
        ("[search]\nbeam_size = 0", ["search.beam_size must be 1 to 1024; got 0"]),
        ("[search]\nbeam_size = 2024-01-01", ["search.beam_size must be of type int"]),
        ("[search]\nsample = 1", ["search.sample must be of type bool"]),
        ("[search]\navoid = [1]", ["search.avoid must be a list of words"]),
        ("[search]\nprefix = {a = 1}", ["search.prefix must be of type str"]),
        ("[train]\noptimizer = 'adm'", ["train.optimizer must be one of adam, adamw"]),
        ("[train]\nclip_norm = nan", ["train.clip_norm must be at least 0; got nan"]),
        ("[search", ["cannot be read as TOML", "end of document"]),
        ("[search]\nseed = 1\nseed = 2", ["cannot be read as TOML", "overwrite"]),
        pytest.param("a = " + "[" * 99999, ["cannot be read as TOML"], id="deep"),
    ],
)
def test_an_error_names_the_file_and_the_place(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    message = refusal(tmp_path / "a.toml", text)
    for part in parts:
        assert part in message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"a\.toml cannot be read as TOML"):
        read_settings(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("section", "name", "text", "value"),
    [
        ("search", "beam_size", "8", 8),
        ("search", "beam_size", "8.0", "8.0"),
        ("search", "beam_size", "", ""),
        ("search", "length_penalty", "1e-1", 0.1),
        ("search", "length_penalty", "much", "much"),
        ("search", "sample", "True", True),
        ("search", "sample", "false", False),
        ("search", "sample", "maybe", "maybe"),
        ("search", "prefix", " a=b ", " a=b "),
        ("search", "avoid", "[一]", ("[一]",)),
        ("train", "max_minutes", "2", 2.0),
        ("train", "preset", "large", "large"),
    ],
)
def test_a_text_stands_for_a_value(
    section: str, name: str, text: str, value: Any
) -> None:
    known: Setting = SECTIONS[section][name]
    found = from_text(known, text)
    assert found == value and type(found) is type(value)
    misfit = known.kind in ("int", "float", "bool") and isinstance(value, str)
    assert (known.fault(found) is not None) == misfit
