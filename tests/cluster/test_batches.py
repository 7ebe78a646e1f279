"""Batches of every kind, with headlines, without an engine."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headline.cluster.batches import Batch, source_of
from headline.cluster.ray import Headlines
from headline.cluster.spark import headlines
from headline.errors import BundleError, ClusterError, ConfigError, CorpusError
from headline.generation.generator import Generator
from headline.settings.search import DecodeConfig
from tests.corpora import bracket_pairs
from tests.trained import TRAINED

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

ARTICLES = [article for _, article in bracket_pairs(20, seed=4)]
Make = Callable[[dict[str, list[Any]]], Batch]
KINDS: dict[str, Make] = {
    "numpy": lambda columns: {name: np.array(v) for name, v in columns.items()},
    "pandas": pd.DataFrame,
    "table": pa.table,
    "record batch": pa.RecordBatch.from_pydict,
}


def listed(batch: Batch, name: str) -> list[Any]:
    column = batch[name]
    return list(column.to_pylist() if hasattr(column, "to_pylist") else column)


def names_of(batch: Batch) -> list[str]:
    return list(batch.schema.names if hasattr(batch, "schema") else batch)


def with_settings(**settings: Any) -> Generator:
    own = Generator.load(TRAINED).config.to_dict()
    return Generator.load(TRAINED, DecodeConfig(**own | settings))


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Make:
    return KINDS[request.param]


def test_a_batch_of_each_kind_gets_the_headlines_of_generate(make: Make) -> None:
    batch = make({"id": [*range(20)], "content": ARTICLES})
    write = Headlines(TRAINED, with_scores=True, beam_size=2, max_length=4)

    found = write(batch)

    known = with_settings(beam_size=2, max_length=4).generate(ARTICLES)
    assert type(found) is type(batch)
    assert listed(found, "headline") == [one[0].text for one in known]
    assert listed(found, "headline_score") == [one[0].score for one in known]
    assert listed(found, "id") == [*range(20)]
    assert names_of(batch) == ["id", "content"]  # as it was


def test_several_headlines_have_a_column_each(make: Make) -> None:
    write = Headlines(TRAINED, num_headlines=3, headline_column="题")
    found = write(make({"正文": ["", *ARTICLES[:3]]}))

    rows = with_settings(num_headlines=3).generate(["", *ARTICLES[:3]])
    assert listed(found, "题") == [row[0].text for row in rows]
    assert listed(found, "题_3")[1:] == [row[2].text for row in rows[1:]]
    # A blank article has one blank headline, and nothing in the further columns.
    assert pd.isna(listed(found, "题_3")[0])


@pytest.mark.parametrize("kind", ["pandas", "table", "record batch"])
def test_an_article_may_be_missing(kind: str) -> None:
    found = Headlines(TRAINED)(KINDS[kind]({"text": [None, ARTICLES[0]]}))
    first, second = listed(found, "headline")
    assert first == "" and second


def test_styles_and_their_columns_are_known_beforehand() -> None:
    with pytest.raises(ConfigError, match="no headline styles"):
        Headlines(TRAINED, styles=True)


def test_a_pickle_has_no_arrays_even_after_a_batch() -> None:
    write = headlines(TRAINED, max_length=5)
    (found,) = write([pa.RecordBatch.from_pydict({"text": ARTICLES})])
    again = pickle.loads(pickle.dumps(write))
    (other,) = again([pa.RecordBatch.from_pydict({"text": ARTICLES})])
    assert found == other
    weights = (TRAINED / "weights.safetensors").stat().st_size
    assert len(pickle.dumps(write)) < 2000 < weights


def test_a_python_worker_of_spark_loads_the_model_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = pickle.dumps(headlines(TRAINED, max_length=6))
    loads: list[Any] = []
    from_bundle = Generator.from_bundle

    def counted(*given: Any) -> Generator:
        loads.append(given)
        return from_bundle(*given)

    monkeypatch.setattr(Generator, "from_bundle", counted)
    for _ in range(3):  # tasks, for each of which Spark unpickles the function
        write = pickle.loads(sent)
        assert [*write([pa.RecordBatch.from_pydict({"text": ARTICLES[:2]})])]
    assert len(loads) == 1


def test_a_model_that_was_replaced_is_refused(tmp_path: Path) -> None:
    model = Path(shutil.copytree(TRAINED, tmp_path / "model"))
    write = pickle.loads(pickle.dumps(headlines(model)))
    manifest = model / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(ClusterError, match="changed during the run"):
        next(write([pa.RecordBatch.from_pydict({"text": ARTICLES})]))


def test_what_a_user_gets_wrong_is_told_before_any_headline() -> None:
    batch = {"id": np.array([1]), "headline": np.array(["x"])}
    with pytest.raises(CorpusError, match="a column 'headline' already"):
        Headlines(TRAINED)(batch)
    with pytest.raises(ConfigError, match="no column of articles among id, headline"):
        Headlines(TRAINED, headline_column="new")(batch)
    with pytest.raises(ConfigError, match=r"no column 'body' .* source_column"):
        source_of(["text"], "body")
    with pytest.raises(ConfigError, match="beam_size must be"):
        Headlines(TRAINED, beam_size=0)
    with pytest.raises(ConfigError, match="unknown setting 'beam'"):
        headlines(TRAINED, beam=2)
    with pytest.raises(BundleError, match="no model folder"):
        headlines(TRAINED / "none")


def test_the_usual_names_have_an_order() -> None:
    assert source_of(["text", "Content"], None) == "Content"
    assert source_of(["text", "content"], "text") == "text"
