"""The model card: fields that programs read, and texts that stay in their places."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from headline.bundle import CARD_MARK, Bundle, load_bundle
from headline.pages.model_card import model_card
from headline.pages.rendering import markdown, yaml
from tests.trained import TRAINED

HOSTILE = [
    "a\n---\nlicense: mit\n",
    'a", "b": {c: d} # |',
    "<script>alert(1)</script> &amp;",
    "x | y | z \\| `code",
    "[link](javascript:1) ![](x) **bold** $x$ ~~s~~",
    "\u2028\x85\ufeff\x1b[31m\ud800😀",
    "新闻_2024.csv",
]


def bundle_of(file: str = "news.csv", weight: float = 1.0, **more: Any) -> Bundle:
    """The trained model of the repository, with a file that it was trained on."""
    bundle = load_bundle(TRAINED)
    pairs = {"train": 1042, "valid": 35, "test": 123}
    files = [{"file": file, "weight": weight, "pairs": pairs}]
    data = {**bundle.provenance["data"], "files": files}
    return replace(bundle, provenance={**bundle.provenance, "data": data, **more})


def parts(card: str) -> tuple[list[str], str]:
    """The lines of the front matter, and the Markdown behind it."""
    before, front, body = card.split("---\n", 2)
    assert before == ""
    return front.splitlines(), body


def value_of(line: str) -> Any:
    return json.loads(line.partition(": ")[2])


def test_the_fields_in_front_are_those_of_hugging_face() -> None:
    lines, _ = parts(model_card(bundle_of()))
    for field in ("language:", "library_name: headline", "pipeline_tag: summarization"):
        assert field in lines
    for field in ("tags:", "metrics:", "model-index:"):
        assert lines[lines.index(field) + 1].startswith("- ")
    # Nobody has said under which licence the model may be passed on.
    assert not any(line.startswith("license") for line in lines)
    # Every level is two spaces deeper, and every key has one word.
    assert all(re.match(r"(  )*(- )?(#|\w[\w-]*)", line) for line in lines)


def test_the_scores_are_those_of_the_kept_epoch() -> None:
    valid = bundle_of().provenance["valid"] | {"rouge_1": 61.5, "rouge_l": 57.25}
    card = model_card(bundle_of(valid=valid, epoch=4))
    lines, body = parts(card)
    at = lines.index('      name: "ROUGE-1"')
    assert lines[at - 1 : at + 2] == [
        "    - type: rouge",
        '      name: "ROUGE-1"',
        "      value: 61.5",
    ]
    assert "| ROUGE-L | 57.25 |" in body
    assert "For 30 articles of the valid split" in body and "after epoch 4" in body


def test_the_card_tells_data_training_limits_and_who_writes_it() -> None:
    _, body = parts(model_card(bundle_of(weight=0.3)))
    wanted = ["Data", "Training", "Scores", "Limits", "Usage"]
    assert re.findall(r"^## (\w+)$", body, flags=re.MULTILINE) == wanted
    told = "| news.csv | 1,042 train, 35 valid, 123 test; seen 0.3 times an epoch |"
    assert told in body and "16,784 weights" in body and "0.8 minutes" in body
    assert f"> {CARD_MARK}" in body
    digest = "71f54ca431723b9da14257569ccb758b19e89e16449d3c2dd08e7b1f4c547b8e"
    assert f"| vocab.json | {digest} |" in body
    assert "| max\\_minutes | – |" in body and "\n\n\n\n" not in body


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_of_a_file_stays_in_its_place(name: str) -> None:
    lines, body = parts(model_card(bundle_of(name)))
    plain_lines, plain_body = parts(model_card(bundle_of("plain")))
    assert len(lines) == len(plain_lines)
    (written,) = [
        line
        for line in lines
        if line.startswith('      name: "') and "ROUGE" not in line
    ]
    assert value_of(written) == name and written.isprintable()
    assert body.count("\n") == plain_body.count("\n")
    rows, plain_rows = (
        re.findall(r"^\|.*$", text, re.M) for text in (body, plain_body)
    )
    bars = [
        [len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in some]
        for some in (rows, plain_rows)
    ]
    assert bars[0] == bars[1]
    tags = set(re.findall(r"(?<!\\)<[^>]*>", body))
    assert tags == {"<details>", "</details>", "<summary>", "</summary>"}


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_escapes_what_is_no_word(text: str) -> None:
    escaped = markdown(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == "".join(
        c if c.isprintable() else " " for c in text
    )
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>|`*_\[\]&$~]", escaped)
    assert markdown(escaped) == escaped


def test_numbers_of_yaml_are_numbers() -> None:
    assert [yaml(61.5), yaml(3), yaml("3")] == ["61.5", "3", '"3"']


def test_every_value_of_a_markdown_template_is_escaped_unless_it_says_otherwise() -> (
    None
):
    card = model_card(bundle_of(preset="<b>"))
    assert "# headline-\\<b\\>\n" in card and '"headline-<b>"' in card


def test_the_python_example_of_the_card_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", model_card(bundle_of()), re.DOTALL)
    code = example.replace("MODEL_DIR", str(TRAINED))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) >= 1
