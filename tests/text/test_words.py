"""Words: those of a vocab alone, whole texts, and no second of loading."""

import importlib
import pickle
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.text.words import Cutter, _without, cut_by_jieba

TEXT = "央行宣布研究生命起源"


def test_words_are_those_that_are_likeliest_together() -> None:
    words = ["研究", "生命", "的", "央行", "研究生", "起源", "命", "宣布"]
    assert Cutter(words).cut(TEXT) == ["央行", "宣布", "研究", "生命", "起源"]
    # Where a word is far more frequent than two others, it is taken.
    rare = [*words[2:5], *map(chr, range(0x5000, 0x5400)), *words[:2], "命", "起源"]
    assert Cutter(rare).cut(TEXT)[3:5] == ["研究生", "命"]


def test_what_is_no_word_comes_as_characters_or_as_a_run() -> None:
    cutter = Cutter(["央行"])
    assert cutter.cut("央行宣布GDP增5.2%") == [
        *("央行", "宣", "布", "GDP", "增", "5", ".", "2", "%")
    ]
    assert Cutter([]).cut("央行") == ["央", "行"]


@given(
    st.lists(st.text("央行宣布 12aB，", min_size=1, max_size=3), max_size=8),
    st.text("央行宣布降息 12aB，\n😀"),
)
def test_words_together_are_the_text(words: list[str], text: str) -> None:
    cutter = Cutter(list(dict.fromkeys(words)))
    assert "".join(cutter.cut(text)) == text


def test_a_cutter_can_be_sent_to_a_process() -> None:
    cutter = Cutter(["央行", "宣布"])
    assert pickle.loads(pickle.dumps(cutter)).cut(TEXT) == cutter.cut(TEXT)


def test_jiebas_own_words_are_more() -> None:
    assert cut_by_jieba("央行宣布降息") == ["央行", "宣布", "降息"]


SCRIPT = """
import sys
from headline.text.words import Cutter
Cutter(["央行"]).cut("央行宣布")
import jieba
print(jieba.dt.initialized, "pkg_resources" in sys.modules)
"""


def test_neither_jiebas_dictionary_nor_pkg_resources_is_loaded() -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["False", "False"]
    assert found.stderr == ""


def test_a_module_is_there_again_after(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("some_module")
    monkeypatch.setitem(sys.modules, "some_module", module)
    with _without("some_module"), pytest.raises(ImportError):
        importlib.import_module("some_module")
    assert sys.modules["some_module"] is module
    with _without("no_such_module"):
        pass
    assert "no_such_module" not in sys.modules
