"""``--config``, ``--set`` and ``--print-config``: which value of a setting counts."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headline.bundle import save_bundle
from headline.cli.main import main
from headline.cli.options import Option
from headline.settings.presets import PRESETS, Run
from headline.settings.sections import SECTIONS
from headline.settings.toml import read_settings
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

# What changes something of each command that has settings.
CHANGES = {
    "prepare": "--tokenizer word --vocab-size 77 --workers 3 --delimiter tab",
    "topics": "--topics 7 --set topics.latent_size=3 --device cpu",
    "train": "--preset large --max-minutes 2.5 --freeze [a-z]=1 --freeze \\d --width 6"
    " --heads 3 --mixed-precision",
    "styles": "--styles 3 --max-minutes 4 --set styles.updates=8 --contrast 0.5",
    "calibrate": "--good-rouge-l 60",
    "find-lr": "--preset seed --set model.width=64 --optimizer lion",
    "evaluate": "--num-headlines 3 --sample --top-p 0.5 --set search.seed=9",
    "score": "--shortlist 0 --device gpu --no-strict",
    "generate": '--lines --prefix "快\\讯" --avoid 一 --avoid 二 --device gpu',
    "serve": "--port 0 --url-prefix /a --allow-origin http://a.b --max-length 12",
}


STRICT, SEED, HEADS = "strict = true", "seed = 9", "heads = 4"
CHANGED = {
    "prepare": {STRICT, "min_count = 9"},
    "topics": {"topics = 9", SEED},
    "train": {SEED, HEADS},
    "styles": {SEED},
    "calibrate": {"good_rouge_l = 9.0"},
    "find-lr": {SEED, HEADS},
    "evaluate": {STRICT, SEED},
    "score": {STRICT},
    "generate": {STRICT, SEED, "lines = true"},
    "serve": {SEED},
}


def headline(*args: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def shown(*args: str | Path) -> str:
    """Returns what ``--print-config`` prints."""
    result = headline(*args, "--print-config")
    assert result.exit_code == 0 and result.stderr == "", result.output
    return result.stdout


def settings(tmp_path: Path, *args: str | Path) -> dict[str, dict[str, Any]]:
    """Returns the settings of a command by section and name."""
    path = tmp_path / "shown.toml"
    path.write_text(shown(*args), "utf-8")
    return read_settings(path)


def refused(*args: str | Path, parts: tuple[str, ...]) -> None:
    result = headline(*args)
    assert result.exit_code == 2 and result.stdout == "", result.output
    last = result.stderr.splitlines()[-1]
    assert result.stderr.count("Error: ") == 1 and last.startswith("Error: ")
    for part in parts:
        assert part in last


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "model", tiny_bundle("天地玄黄"))
    return tmp_path / "model"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


# --- print-config ---------------------------------------------------------------------


def test_these_are_the_commands_with_settings() -> None:
    names = {
        name: {one.name for one in main.commands[name].params} for name in main.commands
    }
    having = {name for name, options in names.items() if "print_config" in options}
    assert having == CHANGES.keys() == CHANGED.keys()


@pytest.mark.parametrize("command", CHANGES)
@pytest.mark.parametrize("changed", [False, True])
def test_what_is_printed_can_be_read_back(
    command: str, changed: bool, file: Path
) -> None:
    options = CHANGES[command].split() if changed else []
    text = shown(command, *options)
    assert (text != shown(command)) == changed

    file.write_text(text, "utf-8")

    assert shown(command, "--config", file) == text


@pytest.mark.parametrize("command", CHANGES)
def test_every_setting_of_a_command_is_printed_once(command: str) -> None:
    lines = [line.removeprefix("# ") for line in shown(command).splitlines()]
    printed = Counter(line.partition(" =")[0] for line in lines if " =" in line)
    names = [
        one.name
        for one in main.commands[command].params
        if isinstance(one, Option) and any(one.name in of for of in SECTIONS.values())
    ]
    assert names and len(names) == len(set(names))  # so a name needs no section
    assert {name: printed[name] for name in names} == dict.fromkeys(names, 1)


def test_a_models_own_search_is_printed(model: Path, tmp_path: Path) -> None:
    for command in ("generate", "evaluate"):
        own = settings(tmp_path, command, "-m", model)["search"]
        assert (own["beam_size"], own["max_length"]) == (2, 8)
        assert settings(tmp_path, command)["search"]["beam_size"] == 4


def test_the_network_of_another_model_is_printed(model: Path, tmp_path: Path) -> None:
    for command in ("train", "find-lr"):
        assert settings(tmp_path, command, "--init-from", model)["model"]["width"] == 8
        assert settings(tmp_path, command)["model"]["width"] == 128


def test_a_batch_is_larger_on_a_gpu_unless_it_is_asked_for(tmp_path: Path) -> None:
    gpu = ("generate", "--device", "gpu")
    assert settings(tmp_path, *gpu)["search"]["batch_size"] == 1024
    found = settings(tmp_path, *gpu, "--batch-size", "7")
    assert found["search"]["batch_size"] == 7


def test_nothing_is_printed_of_settings_that_do_not_go_together() -> None:
    refused("generate", "--print-config", "--min-length", "50", parts=("--min-length",))


# --- which counts ---------------------------------------------------------------------


def test_an_option_counts_more_than_set_than_the_file_than_the_preset(
    file: Path, tmp_path: Path
) -> None:
    file.write_text(
        '[train]\npreset = "large"\nepochs = 1\nseed = 2\nsamples = 3\n'
        "[model]\nwidth = 64\n",
        "utf-8",
    )
    options = ("--config", file, "--set", "seed=5", "--set", "train.samples=6")

    found = settings(tmp_path, "train", *options, "--samples", "7")

    large = PRESETS["large"]
    assert found["train"]["batch_size"] == large.train.batch_size == 64
    assert found["model"]["encoder_layers"] == large.model.encoder_layers == 2
    assert [found["train"][name] for name in ("epochs", "seed", "samples")] == [1, 5, 7]
    assert found["model"]["width"] == 64
    assert (
        settings(tmp_path, "train", *options, "--preset", "seed")["train"][
            "learning_rate"
        ]
        == 0.001
    )


def test_a_default_that_is_given_counts_too(file: Path, tmp_path: Path) -> None:
    file.write_text("[generate]\nlines = true\n[search]\nbeam_size = 9\n", "utf-8")
    config = ("generate", "--config", file)
    assert settings(tmp_path, *config)["generate"]["lines"] is True
    found = settings(tmp_path, *config, "--no-lines", "--beam-size", "4")
    assert found["generate"]["lines"] is False and found["search"]["beam_size"] == 4


def test_a_file_may_serve_every_command(file: Path) -> None:
    file.write_text(
        "[format]\nstrict = true\n[prepare]\nmin_count = 9\n[train]\nseed = 9\n"
        "[model]\nheads = 4\n[search]\nseed = 9\n[generate]\nlines = true\n"
        "[topics]\ntopics = 9\nseed = 9\n"
        "[styles]\nseed = 9\n[confidence]\ngood_rouge_l = 9\n",
        "utf-8",
    )
    for command in CHANGED:
        before = shown(command).splitlines()
        after = shown(command, "--config", file).splitlines()
        changed = {new for old, new in zip(before, after, strict=True) if old != new}
        assert changed == CHANGED[command]


def test_words_of_set_add_up(tmp_path: Path) -> None:
    sets = ("--set", "avoid=一", "--set", "search.avoid=[二]", "--set", "max-length=9")
    found = settings(tmp_path, "generate", *sets)["search"]
    assert found["avoid"] == ("一", "[二]") and found["max_length"] == 9


def test_a_file_changes_the_headlines_as_options_do(model: Path, file: Path) -> None:
    file.write_text('[search]\nprefix = "天"\nnum_headlines = 2\n', "utf-8")
    command, article = ("generate", "-m", model), "天地玄黄" * 9
    options = headline(
        *command, "--prefix", "天", "--num-headlines", "2", stdin=article
    )
    assert options.exit_code == 0 and options.stdout.startswith("天")
    sets = ("--set", "prefix=天", "--set", "num_headlines=2")
    for other in (("--config", file), sets):
        assert headline(*command, *other, stdin=article).stdout == options.stdout
    assert headline(*command, stdin=article).stdout != options.stdout


def test_the_settings_of_a_training_reach_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[tuple[Run, bool]] = []

    def run_training(run: Run, find_lr: bool) -> str:
        runs.append((run, find_lr))
        return "done"

    monkeypatch.setattr("headline.cli.train.run_training", run_training)
    file.write_text('[train]\npreset = "large"\nmax_minutes = 2\n', "utf-8")
    options = ("d", "-m", tmp_path / "m", "--config", file, "--width", "64")
    for command in ("train", "find-lr"):
        result = headline(command, *options)
        assert result.exit_code == 0 and result.output == "done\n", result.output

    (first, is_test), (second, is_test_too) = runs
    assert (is_test, is_test_too) == (False, True)
    assert first == second and first.preset == "large"
    assert first.decode == PRESETS["large"].decode
    assert first.train.max_minutes == 2.0 and type(first.train.max_minutes) is float
    assert (first.model.width, first.model.encoder_layers) == (64, 2)


def test_consensus_of_a_file_gives_way_to_samples(file: Path, tmp_path: Path) -> None:
    file.write_text("[search]\nconsensus = true\n", "utf-8")
    config = ("generate", "--config", file)
    for other in (("--sample",), ("--diversity", "1", "--num-headlines", "2")):
        found = settings(tmp_path, *config, *other)["search"]
        assert found["consensus"] is False
    both = ("--sample", "--consensus", "--print-config")
    refused(*config, *both, parts=("--consensus: ", "off with sample"))
    file.write_text("[search]\nconsensus = true\nsample = true\n", "utf-8")
    refused(*config, "--print-config", parts=(f"{file}: consensus must be off",))


def test_what_only_samples_have_gives_way_where_there_are_none(
    file: Path, tmp_path: Path
) -> None:
    file.write_text("[search]\nsample = true\ntop_p = 0.5\n", "utf-8")
    config = ("generate", "--config", file)
    assert settings(tmp_path, *config)["search"]["top_p"] == 0.5
    found = settings(tmp_path, *config, "--no-sample")["search"]
    assert (found["sample"], found["top_p"]) == (False, 1.0)


# --- what goes wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("beam_size", ("--set: ", "NAME=VALUE")),
        ("beamsize=3", ("--set: ", "'beamsize'", "did you mean beam_size?")),
        ("search.beamsize=3", ("'search.beamsize'", "did you mean beam_size?")),
        ("xyz=3", ("--set: this command has no setting 'xyz'",)),
        ("vocab_size=3", ("other commands, see [prepare]",)),
        ("train.seed=3", ("'train.seed'", "other commands, see [train]")),
        ("pointer=false", ("no setting 'pointer'",)),
        ("beam_size=x", ("--set: search.beam_size must be of type int; got 'x'",)),
        ("search.beam-size=0", ("search.beam_size must be 1 to 1024; got 0",)),
        ("sample=1", ("search.sample must be of type bool; got '1'",)),
        ("device=tpu", ("machine.device must be one of cpu, gpu; got 'tpu'",)),
        ("min_length=50", ("--min-length: ", "1 to 40 (max_length)")),
    ],
)
def test_a_wrong_set_is_one_line(assignment: str, parts: tuple[str, ...]) -> None:
    refused("generate", "--print-config", "--set", assignment, parts=parts)


def test_a_wrong_file_is_one_line(file: Path, tmp_path: Path) -> None:
    config = ("generate", "--print-config", "--config", file)
    refused(*config, parts=("--config", f"'{file}' does not exist"))
    refused(*config[:-1], tmp_path, parts=("--config", "is a directory"))
    for text, parts in (
        ("[search]\nbeamsize = 3", ("[search] has no setting 'beamsize'",)),
        ("[train]\nbatchsize = 3", ("did you mean batch_size?",)),  # of another command
        ("[search]\nmin_length = 50", ("min_length must be 1 to 40 (max_length)",)),
        ("[search]\nmin_length = 9\nmax_length = 8", ("min_length must be 1 to 8",)),
        ("[search", ("cannot be read as TOML",)),
    ):
        file.write_text(text, "utf-8")
        refused(*config, parts=(f"{file}", *parts))


def test_a_config_on_stdin_is_refused() -> None:
    result = headline("train", "--print-config", "--config", "-")
    assert result.exit_code == 1 and result.stderr == "Error: - is stdin: name a file\n"


@pytest.mark.parametrize(
    "command", ["prepare", "train", "find-lr", "score", "generate"]
)
def test_only_print_config_can_do_without_the_rest(command: str) -> None:
    refused(command, parts=("Missing ",))


def test_evaluate_needs_a_model_and_a_file(model: Path, tmp_path: Path) -> None:
    corpus = write_pairs(tmp_path / "a.csv", bracket_pairs(3))
    refused("evaluate", parts=("Missing argument 'FILE'",))
    refused("evaluate", corpus, parts=("Missing option '-m' / '--model'",))
    refused("evaluate", "-m", model, parts=("Missing argument 'FILE'",))


def test_print_config_loads_neither_keras_nor_numpy() -> None:
    code = (
        "import sys; from headline.cli.main import main\n"
        "main(['train', '--print-config'], standalone_mode=False)\n"
        "print({'numpy', 'keras', 'tensorflow'} & sys.modules.keys())"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert out.startswith("[train]") and out.endswith("set()\n")
