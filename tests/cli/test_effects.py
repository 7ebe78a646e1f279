"""Options that would have no effect are refused; what has one never is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headline.bundle import load_bundle, save_bundle
from headline.cli.main import main
from headline.settings.presets import Run
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle
from tests.written import write_parquet

ARTICLE = "天地玄黄" * 9


def headline(*args: str | Path, stdin: str = ARTICLE) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a folder with a model and a file of each kind, and goes there."""
    monkeypatch.chdir(tmp_path)
    save_bundle(Path("m"), tiny_bundle("天地玄黄"))
    pairs = bracket_pairs(60)
    write_pairs(Path("a.csv"), pairs)
    rows = [{"title": title, "text": article} for title, article in pairs[:5]]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    Path("a.jsonl").write_text("\n".join(lines), "utf-8")
    Path("a.json").write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    write_parquet(Path("a.parquet"), rows)
    Path("a.txt").write_text("\n".join([ARTICLE] * 2), "utf-8")


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The trainings that were begun; none is carried out."""
    found: list[Run] = []

    def run_training(run: Run, find_lr: bool) -> str:
        found.append(run)
        return "done"

    monkeypatch.setattr("headline.cli.train.run_training", run_training)
    return found


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("generate -m m --seed 7", "--sample"),
        ("generate -m m --set seed=7", "--sample"),
        ("generate -m m a.csv --seed 7", "--sample"),
        ("generate -m m --seed 7 --no-sample", "--sample"),
        ("generate -m m --diversity 0.5", "--num-headlines 2"),
        ("generate -m m --beam-threshold 1 --num-headlines 2", "one headline"),
        ("generate -m m --beam-threshold 1 --sample", "one headline"),
        ("generate -m m --beam-threshold 1 --consensus", "one headline"),
        ("generate -m m a.csv --lines", "plain text"),
        ("generate -m m a.jsonl --lines", "plain text"),
        ("generate -m m --headline-column x", "a table, such as a CSV"),
        ("generate -m m a.txt --headline-column x", "a table, such as a CSV"),
        ("generate -m m a.txt --source-column x", "a table, such as a CSV"),
        ("generate -m m a.txt --delimiter ;", "a CSV or TSV file"),
        ("generate -m m a.jsonl --delimiter ;", "a CSV or TSV file"),
        ("generate -m m a.parquet --encoding gb18030", "a file that is text"),
        ("generate -m m a.parquet --seed 7", "--sample"),
        ("prepare a.parquet -o d --encoding gb18030", "a file that is text"),
        ("evaluate -m m a.parquet --encoding gb18030", "a file that is text"),
        ("prepare a.jsonl -o d --delimiter ;", "a CSV or TSV file"),
        ("prepare a.csv -o d --no-clean --max-repeats 2", "--clean"),
        ("prepare a.csv -o d --no-clean --strip-affix x", "--clean"),
        ("score -m m a.jsonl --delimiter ;", "a CSV or TSV file"),
        ("evaluate -m m a.jsonl --delimiter ;", "a CSV or TSV file"),
        ("evaluate -m m a.jsonl --seed 7", "--sample"),
        ("evaluate -m m a.csv --diversity 1", "--num-headlines 2"),
        ("evaluate -m m a.csv --score --beam-size 1", "--score writes none"),
        ("evaluate -m m a.csv --score --num-headlines 2", "--score writes none"),
        ("evaluate -m m a.csv --score --workers 1", "--score writes none"),
        ("train d -m x --clip-norm 0 --clip-scope weight", "--clip-norm above 0"),
        ("train d -m x --preset seed --clip-scope weight", "--clip-norm above 0"),
        ("train d -m x --preset seed --bigram-dropout 0.1", "--bigrams above 0"),
        ("train d -m x --preset seed --dropout-epochs 2", "another dropout"),
        ("find-lr d -m x --clip-norm 0 --clip-scope weight", "--clip-norm above 0"),
    ],
)
def test_an_option_without_effect_is_refused_in_one_line(
    command: str, needs: str, runs: list[Run]
) -> None:
    before = sorted(Path().rglob("*"))

    result = headline(*command.split())

    assert result.exit_code == 2 and result.stdout == "", result.output
    *_, last = result.stderr.splitlines()
    assert result.stderr.count("Error: ") == 1
    assert last.startswith("Error: --") and "has no effect: it needs" in last
    assert needs in last
    flag = last.split()[1]
    assert flag in command.replace("--set ", "--")
    assert sorted(Path().rglob("*")) == before and not runs


@pytest.mark.parametrize(
    "command",
    [
        "generate -m m --sample --seed 7",
        "generate -m m --diversity 0.5 --num-headlines 2",
        "generate -m m --diversity 0",
        "generate -m m --beam-threshold 0 --sample",
        "generate -m m --beam-threshold 1",
        "generate -m m --lines",
        "generate -m m - --lines",
        "generate -m m a.txt --lines",
        "generate -m m a.csv --headline-column x --source-column content --delimiter ,",
        "generate -m m a.jsonl --headline-column x --source-column text",
        "generate -m m a.jsonl --seed 7",  # a row may ask for samples
        "generate -m m a.json --seed 7",
        "generate -m m a.parquet --headline-column x --source-column text",
        "prepare a.parquet a.csv -o d --encoding utf-8",
        "generate -m m a.jsonl --diversity 0.5",
        "generate -m m a.jsonl --beam-threshold 1 --num-headlines 2",
        "evaluate -m m a.csv --delimiter ,",
        "evaluate -m m a.csv --sample --seed 3",
        "evaluate -m m a.csv --diversity 1 --compare m",
        "score -m m a.csv --shortlist 0 --batch-size 2",
        "evaluate -m m a.csv --score --shortlist 0 --batch-size 2",
        "prepare a.csv a.jsonl -o d --delimiter ,",
        "train d -m x --clip-scope weight",
        "train d -m x --preset seed",
        "train d -m x --preset seed --clip-norm 1 --clip-scope weight",
        "train d -m x --preset seed --bigram-dropout 0",
        "train d -m x --preset seed --bigrams 9 --bigram-dropout 0.1",
        "train d -m x --preset seed --dropout 0.1 --dropout-epochs 2",
    ],
)
def test_an_option_with_an_effect_is_taken(command: str) -> None:
    result = headline(*command.split())
    assert result.exit_code == 0, result.output


def test_a_seed_has_an_effect_on_a_row_that_asks_for_samples() -> None:
    row = {"text": ARTICLE, "options": {"sample": True, "num_headlines": 3}}
    Path("one.jsonl").write_text(json.dumps(row), "utf-8")
    command = ("generate", "-m", "m", "one.jsonl", "--seed")
    assert headline(*command, "1").stdout != headline(*command, "2").stdout


def test_the_older_form_of_options_is_told_once_for_all_files() -> None:
    for name in ("one.jsonl", "two.jsonl"):
        row = json.dumps({"text": ARTICLE, "prefix": "囧"})
        Path(name).write_text(f"{row}\n{row}\n", "utf-8")

    result = headline("generate", "-m", "m", "one.jsonl", "two.jsonl")

    assert result.exit_code == 0 and result.stdout.count('"headline": "囧') == 4
    (line,) = result.stderr.splitlines()
    assert '"options": {"prefix": "..."}' in line


def test_diversity_ends_the_consensus_of_a_model() -> None:
    bundle = load_bundle(Path("m"))
    decode = bundle.decode.changed({"consensus": True, "beam_size": 9})
    save_bundle(Path("large"), replace(bundle, decode=decode))

    result = headline("generate", "-m", "large", "--diversity", "0.5")

    assert result.exit_code == 0, result.output
    assert result.stdout != headline("generate", "-m", "large").stdout
    refused = headline("generate", "-m", "large", "--beam-threshold", "1")
    assert refused.exit_code == 2 and "--beam-threshold has no effect" in refused.stderr


def test_what_a_file_says_is_never_refused() -> None:
    Path("all.toml").write_text(
        "[search]\nseed = 7\ndiversity = 0.5\nbeam_size = 1\nbeam_threshold = 2\n"
        '[generate]\nlines = true\nheadline_column = "x"\n[format]\ndelimiter = ","\n'
        '[train]\nclip_norm = 0\nclip_scope = "weight"\n[machine]\nworkers = 1\n',
        "utf-8",
    )
    for command in (
        "generate -m m",
        "generate -m m a.csv",
        "generate -m m a.jsonl",
        "evaluate -m m a.csv --score",
        "score -m m a.jsonl",
        "train d -m x",
        "find-lr d -m x",
    ):
        result = headline(*command.split(), "--config", "all.toml")
        assert result.exit_code == 0, (command, result.output)
