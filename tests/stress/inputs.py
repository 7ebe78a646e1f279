"""Feeds the commands what nobody should write, and counts what comes out.

    python -m tests.stress.inputs [--minutes N] [--seed N] [--large]

Whatever a file holds: a command ends with 0, or with 1 and one line; lines out are
lines in; each output is read back by a strict reader; ``prepare`` counts every row.
"""

import argparse
import csv
import io
import json
import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from headline.bundle import save_bundle
from headline.cli.main import main as headline
from headline.text.normalise import normalise
from tests.commands import HEADLINE
from tests.scripted import tiny_bundle

HAN = "央行今日宣布下调存款准备金率天地玄黄宇宙洪荒"
PIECES = [
    *HAN, HAN, HAN * 40, *"\0\ufeff\u202e\x1f\x85\u2028\r\n\t\"',\\é①㍿¾Ⅷ𠮷龘ꙮ ",
    "\u3000", "\u200b\u200d", "\r\n", '""', "e\u0301\u0302\u0303", "ﬁ", "ａＢ１２",
    "。！？", "……",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f3f3\ufe0f\u200d\U0001f308",
    "שלום", "مرحبا", "《》", "12.95万亿", "-3%", "1,000", "2026", "iPhone", "<b>",
    "&amp;", "&#0;", "&#xD800;", "<pad>", "<unk>", "<bos>", "<eos>", "[PAD]",
]  # fmt: skip
PROSE = [
    "水利部和应急管理部今天联合发布通知，要求各地做好暑期防汛工作。",
    "记者从会上获悉，全国铁路预计发送旅客1050万人次，同比增长12.5%。",
    "“我们将继续努力！”他说，《办法》自2026年1月1日起施行。",
]
NAMES = [
    "title",
    "content",
    "标题",
    "正文",
    "text",
    "",
    "headline",
    "prefix",
    "options",
]


class Inputs:
    """Makes hostile files from a seed.

    Args:
        folder: to write them to.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.model = folder / "model"
        save_bundle(self.model, tiny_bundle(HAN, vocab_size=24))
        self.runner = CliRunner()
        self.outcomes: Counter[str] = Counter()

    def text(self) -> str:
        """A text of a few pieces; at times none, or long."""
        number = self.rng.choice([0, 1, 1, 2, 3, 5, 8, 30])
        return "".join(self.rng.choices(PIECES, k=number))

    def spoilt(self, content: bytes) -> bytes:
        """The bytes as they are, or with some of them exchanged, lost or put in."""
        raw = bytearray(content)
        for _ in range(self.rng.choice([0, 0, 0, 1, 3, 20])):
            place = self.rng.randrange(len(raw) + 1)
            odd = self.rng.choice([b"\xff", b"\x80", b"\0", b'"', b"\n", b"\xe5", b""])
            raw[place : place + self.rng.choice([0, 1, 2])] = odd
        return bytes(raw)

    def table(self) -> bytes:
        """A CSV file, with rows of too many columns and too few."""
        stream = io.StringIO()
        ends = self.rng.choice(["\n", "\r\n", "\r"])
        writer = csv.writer(stream, lineterminator=ends)
        names = ["title", "content", *self.rng.sample(NAMES, self.rng.randrange(3))]
        if self.rng.random() < 0.95:
            writer.writerow(names)
        for _ in range(self.rng.choice([0, 1, 3, 12])):
            width = max(1, len(names) + self.rng.choice([0, 0, 0, 0, -1, 1, 5]))
            writer.writerow([self.text()[:4], *(self.text() for _ in range(width - 1))])
        codec = self.rng.choice(["utf-8"] * 8 + ["utf-8-sig", "gb18030"])
        return self.spoilt(stream.getvalue().encode(codec, "ignore"))

    def foreign_table(self) -> tuple[Path, list[list[str]], str]:
        """A table as other programs write it: its path, its rows and its delimiter.

        Other encodings, delimiters and header names, Excel's line ``sep=;`` and commas
        at the ends of lines, rows that are short, quotes that are part of the text.
        """
        rng, delimiter = self.rng, self.rng.choice(",;\t|")
        header = ["编号", rng.choice(["正文", "内文", " Content", "ＴＥＸＴ"]), "注"]
        header += [""] * rng.choice([0, 0, 3])
        rows = [[str(n), PROSE[n % len(PROSE)], ""] for n in range(rng.randrange(2, 9))]
        for row in rows:
            if delimiter in ",;":
                row[1] += rng.choice(['"', "\n", delimiter, ""]) + "。"
            else:
                row[1] = rng.choice(['"', "", '"引语"']) + row[1]
            if rng.random() < 0.2:
                del row[2:]
        stream = io.StringIO()
        if mark := rng.random() < 0.2 and delimiter != "\t":
            stream.write(f"sep={delimiter}\n")
        if delimiter in ",;":
            csv.writer(stream, delimiter=delimiter).writerows([header, *rows])
        else:
            lines = (delimiter.join(row) for row in [header, *rows])
            stream.write("\r\n".join(lines) + "\r\n")
        codec = rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"])
        path = self.folder / ("f.tsv" if delimiter == "\t" and not mark else "f.csv")
        path.write_bytes(stream.getvalue().encode(codec))
        return path, rows, delimiter

    def objects(self) -> bytes:
        """A JSONL file, with values of every type and lines that are no objects."""
        lines = []
        for _ in range(self.rng.choice([0, 1, 3, 12])):
            names = ["content", *self.rng.sample(NAMES, self.rng.randrange(4))]
            odd: list[Any] = [None, 1, [], {}, True, "\ud800", {"prefix": 3}]
            values = [
                self.text() if self.rng.random() < 0.8 else self.rng.choice(odd)
                for _ in names
            ]
            record = dict(zip(names, values, strict=True))
            lines.append(json.dumps(record, ensure_ascii=self.rng.random() < 0.5))
        lines += self.rng.choices(["", "[]", "{", "null", '{"content": NaN}'], k=2)
        self.rng.shuffle(lines)
        return self.spoilt("\n".join(lines).encode("utf-8", "ignore"))

    # --- the trials -----------------------------------------------------------------

    def run(self) -> None:
        """Makes one of each kind, and gives it to every command."""
        for name, content in (("c.csv", self.table()), ("o.jsonl", self.objects())):
            path = self.folder / name
            path.write_bytes(content)
            self._prepare(path)
            self._generate(path)
            self._ends(["evaluate", "-m", self.model, path, "--json"], "evaluate")
            self._ends(["generate", "-m", self.model, path, "--strict"], "strict")
        self._foreign()
        self._lines(self.spoilt((self.text() + "\n" + self.text()).encode("utf-8")))

    def _ends(self, args: Sequence[str | Path], what: str) -> Result:
        result = self.runner.invoke(headline, [str(arg) for arg in args])
        self._check(result)
        self.outcomes[f"{what}: {'told' if result.exit_code else 'worked'}"] += 1
        return result

    def _check(self, result: Result) -> None:
        """Raises AssertionError unless the command worked or said one line of why."""
        if result.exit_code and not isinstance(result.exception, SystemExit):
            raise AssertionError(repr(result.exception)) from result.exception
        assert result.exit_code in (0, 1), result.output
        if result.exit_code:
            assert result.stderr.splitlines()[-1].startswith("Error: "), result.stderr

    def _prepare(self, path: Path) -> None:
        output = self.folder / "data"
        sizes = ["--valid-size", "0", "--test-size", "0", "--min-source-length", "2"]
        lengths = ["--min-target-length", "1", "--min-count", "1", "--overwrite"]
        result = self._ends(
            ["prepare", path, "-o", output, *sizes, *lengths], "prepare"
        )
        if result.exit_code:
            return
        counts = json.loads((output / "data.json").read_text("utf-8"))
        rejects = counts["rejects"]
        pairs = sum(counts["counts"][split] for split in ("train", "valid", "test"))
        assert pairs + sum(rejects.values()) == counts["counts"]["rows"]
        with (output / "rejects.csv").open(encoding="utf-8", newline="") as stream:
            assert len(list(csv.reader(stream, strict=True))) == 1 + sum(
                rejects.values()
            )

    def _generate(self, path: Path) -> None:
        output = self.folder / f"out{path.suffix}"
        output.unlink(missing_ok=True)
        args: list[str | Path] = ["generate", "-m", self.model, path, "-o", output]
        plain = ["--headline-column", "new"]
        if path.suffix == ".csv":
            plain += ["--delimiter", ","]
        result = self._ends([*args, *plain], "generate")
        assert output.exists() == (result.exit_code == 0)
        if result.exit_code:
            return
        text = output.read_bytes().decode("utf-8")  # strictly
        if path.suffix == ".jsonl":
            for line in text.split("\n")[:-1]:
                assert "new" in json.loads(line, parse_constant=self._no_constant)
            return
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        for row in rows[1:]:
            assert len(row) >= len(rows[0])
            if "content" in rows[0]:  # else the name was spoilt
                self._check_headline(self._article(rows[0], row), row[len(rows[0]) - 1])

    @classmethod
    def _article(cls, header: list[str], row: list[str]) -> str:
        """The article of a row of the output, whose last named column is the headline.

        If the row is too long, the article goes on in the columns without a name at the
        end of the input's header, and behind the headline, after a comma each.
        """
        surplus = row[cls._named(header) : len(header) - 1] + row[len(header) :]
        return ",".join([row[header.index("content")], *surplus])

    @staticmethod
    def _named(header: list[str]) -> int:
        """The columns of the input up to the last one that has a name."""
        *names, _ = header
        return max((n + 1 for n, name in enumerate(names) if name), default=0)

    @staticmethod
    def _no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    def _foreign(self) -> None:
        """Has a table of another program come back, each field in its place."""
        path, rows, delimiter = self.foreign_table()
        output = self.folder / f"foreign{path.suffix}"
        result = self._ends(["generate", "-m", self.model, path, "-o", output], "other")
        assert result.exit_code == 0, result.output
        text = output.read_bytes().decode("utf-8").removeprefix(f"sep={delimiter}\n")
        if delimiter in ",;":
            stream = io.StringIO(text, newline="")
            found = [*csv.reader(stream, delimiter=delimiter, strict=True)]
        else:
            found = [line.split(delimiter) for line in text.split("\n")[:-1]]
        for row, after in zip(rows, found[1:], strict=True):
            assert after[: len(row)] == row
            self._check_headline(row[1], after[-1])

    def _check_headline(self, article: str, text: str) -> None:
        assert text == normalise(text)
        if not text:
            # Blank, or of a row that could not be read, which may end in anything.
            self.outcomes["blank headlines"] += 1
        else:
            assert normalise(article), (article, text)

    def _lines(self, content: bytes) -> None:
        args = ["generate", "-m", str(self.model), "--lines", "--encoding", "utf-8"]
        result = self.runner.invoke(headline, args, input=content)
        self._check(result)
        assert result.exit_code == 0
        lines = [line.decode("utf-8", "ignore") for line in content.split(b"\n")]
        found = result.stdout.split("\n")
        if not content:
            lines = []
        # A last line without an end gets one.
        assert len(found) - 1 == len(lines) - content.endswith(b"\n")
        for article, text in zip(lines, found, strict=False):
            assert bool(text) == bool(normalise(article)), (article, text)
        self.outcomes["lines"] += len(lines)


def no_files(folder: Path) -> None:
    """A folder, a pipe and an empty file in the place of a corpus."""
    runner, model = CliRunner(), folder / "none"
    save_bundle(model, tiny_bundle(HAN))
    (folder / "folder.csv").mkdir()
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text("title,content\n")
    for name in ("folder.csv", "empty.csv", "header.csv"):
        for args in (
            ["prepare", str(folder / name), "-o", str(folder / "x")],
            ["evaluate", "-m", str(model), str(folder / name)],
        ):
            result = runner.invoke(headline, args)
            assert result.exit_code in (1, 2), result.output
            assert result.stderr.splitlines()[-1].startswith("Error: ")
    _pipe(folder / "pipe.csv", model)


def _pipe(path: Path, model: Path) -> None:
    """A pipe can be read once, and a table is opened more often."""
    os.mkfifo(path)
    command = [*HEADLINE, "generate", "-m", str(model)]
    done = subprocess.run([*command, str(path)], capture_output=True, timeout=20)
    assert done.returncode == 1 and done.stderr.startswith(b"Error: "), done.stderr


def large(folder: Path) -> None:
    """200 MB in one line, and a million lines of a character."""
    model = folder / "large"
    save_bundle(model, tiny_bundle(HAN))
    command = [*HEADLINE, "generate", "-m", str(model)]
    for name, content in (
        ("200 MB in a line", HAN.encode() * (200_000_000 // len(HAN.encode()))),
        ("a million lines", b"\xe5\xa4\xa9\n" * 1_000_000),
    ):
        begin = time.monotonic()
        done = subprocess.run(
            [*command, "--lines"], input=content, capture_output=True, check=True
        )
        assert done.stdout.count(b"\n") == max(1, content.count(b"\n"))
        print(f"{name}: {time.monotonic() - begin:.0f} s")


def main() -> None:
    """Feeds for some minutes, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large", action="store_true", help="200 MB in a line, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs, begin = Inputs(Path(folder), args.seed), time.monotonic()
        while time.monotonic() - begin < 60 * args.minutes:
            inputs.run()
        for outcome, times in sorted(inputs.outcomes.items()):
            print(f"{times:7} {outcome}")
        no_files(Path(folder))
        if args.large:
            large(Path(folder))


if __name__ == "__main__":
    main()
