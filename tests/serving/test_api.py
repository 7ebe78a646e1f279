"""The routes, by a server that runs."""

import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from headline.bundle import load_bundle, save_bundle
from headline.generation.controls import CONTROLS
from headline.generation.explain import Explainer
from headline.generation.generator import Generator
from headline.settings.base import schema
from headline.settings.search import DecodeConfig
from tests.corpora import bracket_pairs
from tests.scripted import confident_bundle, styled_bundle
from tests.serving.running import JSON, Running, serving
from tests.trained import TRAINED

ARTICLES = [article for _, article in bracket_pairs(40, seed=5)]
# What a request may set: what a row may, and whether to estimate.
ASKED = CONTROLS | {"with_confidence"}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_headlines": 3},
    {"max_length": 4},
    {"prefix": "快讯"},
    {"num_headlines": 2, "diversity": 0.5, "must_include": ["天"]},
    {"sample": True, "seed": 7, "num_headlines": 2},
    {"beam_size": 1, "avoid": "天", "target_length": None},
]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving("--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.load(TRAINED)


def expected(
    generator: Generator, texts: list[str], options: dict[str, Any]
) -> list[list[str]]:
    """The headlines of ``generate``, one article at a time."""
    own = {name: value for name, value in options.items() if value is not None}
    config = DecodeConfig.from_dict(generator.config.to_dict() | own)
    found = [generator.generate([text], [config])[0] for text in texts]
    return [[one.text for one in headlines] for headlines in found]


def texts_in(answer: Any) -> list[list[str]]:
    return [[one["text"] for one in each["headlines"]] for each in answer["results"]]


def test_one_article_or_several_get_the_headlines_of_generate(
    server: Running, generator: Generator
) -> None:
    one = server.post("/v1/headlines", {"text": ARTICLES[0]})
    several = server.post("/v1/headlines", {"texts": [*ARTICLES, " \n"]})

    assert one.status == several.status == 200
    assert one.headers["Content-Type"] == "application/json"
    assert texts_in(several.json) == [*expected(generator, ARTICLES, {}), [""]]
    assert texts_in(one.json) == texts_in(several.json)[:1] != [[""]]


def test_many_clients_at_once_get_what_they_would_get_alone(
    server: Running, generator: Generator
) -> None:
    rng = random.Random(3)
    asked = [
        (rng.sample(ARTICLES, rng.randint(1, 6)), rng.choice(OPTIONS))
        for _ in range(60)
    ]
    before = server.figure("headline_batch_articles_count")
    with ThreadPoolExecutor(16) as clients:
        found = clients.map(
            lambda one: server.post(
                "/v1/headlines", {"texts": one[0], "options": one[1]}
            ),
            asked,
        )
        answers = [*found]
    batches = server.figure("headline_batch_articles_count") - before
    for (texts, options), answer in zip(asked, answers, strict=True):
        assert texts_in(answer.json) == expected(generator, texts, options), options
    assert batches < sum(len(texts) for texts, _ in asked) / 2  # they share searches


def test_a_headline_tells_its_score_and_what_its_article_lacks(
    server: Running, generator: Generator
) -> None:
    options = {"prefix": "C919飞5天在大阪", "num_headlines": 2}
    answer = server.post("/v1/headlines", {"text": ARTICLES[0], "options": options})
    for one in answer.json["results"][0]["headlines"]:
        assert one.keys() == {"text", "score", "unsupported"}
        lacking = [each["text"] for each in one["unsupported"]]
        assert lacking[:3] == ["C919", "5", "大阪"]
        kinds = [each["kind"] for each in one["unsupported"]]
        assert kinds[:3] == ["number", "number", "name"]
        for each in one["unsupported"]:
            assert one["text"][each["start"] : each["end"]] == each["text"]
        (score,) = generator.score([ARTICLES[0]], [one["text"]])
        assert one["score"] == pytest.approx(score, abs=1e-3)


def test_a_model_with_styles_tells_the_style_of_each_headline(tmp_path: Path) -> None:
    save_bundle(tmp_path / "styled", styled_bundle(ARTICLES[0]))
    with serving("--workers", "1", model=tmp_path / "styled") as styled:
        asked = {"text": ARTICLES[0], "options": {"styles": True, "num_headlines": 3}}
        (result,) = styled.post("/v1/headlines", asked).json["results"]
        plain = styled.post("/v1/headlines", {"text": ARTICLES[0]}).json["results"][0]
    generator = Generator.load(tmp_path / "styled")
    config = replace(generator.config, styles=True, num_headlines=3)
    (found,) = generator.generate([ARTICLES[0]], [config])
    told = [(one["text"], one["style"]) for one in result["headlines"]]
    assert told == [(one.text, one.style) for one in found] and len(told) > 1
    assert all("style" not in one for one in plain["headlines"])


def test_a_model_with_confidence_tells_it(tmp_path: Path) -> None:
    save_bundle(tmp_path / "sure", confident_bundle(ARTICLES[0]))
    asked = {"text": ARTICLES[0], "options": {"with_confidence": True}}
    with serving("--workers", "1", model=tmp_path / "sure") as sure:
        assert sure.get("/v1/model").json["confidence"] is True
        (told,) = sure.post("/v1/headlines", asked).json["results"][0]["headlines"]
        (page,) = sure.post("/v1/explain", asked).json["headlines"]
        asked["options"] = {"min_confidence": 99.9}
        (blank,) = sure.post("/v1/headlines", asked).json["results"][0]["headlines"]
        plain = sure.post("/v1/headlines", {"text": ARTICLES[0]}).json["results"][0]
    generator = Generator.load(tmp_path / "sure")
    config = replace(generator.config, with_confidence=True)
    ((found,),) = generator.generate([ARTICLES[0]], [config])
    assert told["confidence"] == page["confidence"] == found.confidence
    assert blank["text"] == "" and blank["confidence"] == found.confidence
    assert told["text"] == found.text and "confidence" not in plain["headlines"][0]


def test_a_model_without_confidence_refuses_it(server: Running) -> None:
    assert server.get("/v1/model").json["confidence"] is False
    asked = {"text": "天", "options": {"with_confidence": True}}
    answer = server.post("/v1/headlines", asked)
    assert answer.status == 422 and "headline calibrate" in answer.detail


def test_unknown_and_wrong_options_are_refused(server: Running) -> None:
    def refused(**options: Any) -> str:
        answer = server.post("/v1/headlines", {"text": "天", "options": options})
        assert answer.status == 422
        return answer.detail

    assert "unknown setting 'beam'" in refused(beam=1)
    assert "max_length must be 1 to 1000" in refused(max_length=0)
    assert "unknown setting 'batch_size'" in refused(batch_size=1)
    assert "exact_numbers must be true or false" in refused(exact_numbers=1)
    assert "consensus must be off" in refused(consensus=True, sample=True)
    # Only the search finds that these contradict each other.
    assert "options: " in refused(must_include=["玄黄"], avoid=["玄黄"])
    assert "max_length 20 has no room" in refused(must_include="天" * 30, max_length=20)


def test_errors_say_what_to_do(server: Running) -> None:
    def status(body: Any, path: str = "/v1/headlines", **more: Any) -> int:
        answer = server.post(path, body, **more)
        assert answer.detail
        return answer.status

    assert status({"text": "天", "texts": ["地"]}) == 422
    assert status({}) == status({"texts": []}) == status([]) == 422
    assert status({"text": 1}) == status({"text": None}) == 422
    assert status({"text": "天", "option": {}}) == 422
    assert status(b"{", headers=JSON) == status(b"", headers=JSON) == 400
    assert status(b'{"text": "\xff"}', headers=JSON) == 400
    assert status(b'{"text": "\\ud800"}', headers=JSON) == 400
    assert status(b'{"text": ' + b"[" * 100_000, headers=JSON) == 400
    assert status(b"{}", headers={"Content-Type": "text/plain"}) == 415
    assert status(b"{}") == 415
    assert status({}, path="/v1/nowhere") == 404
    assert status({"texts": ["天"] * 10_000}) == 413
    assert status({"text": "天" * 1_000_000}) == 413
    assert status({"text": "天" * 10_000_000}) == 413
    assert server.get("/v1/headlines").status == 405
    assert server.request("DELETE", "/healthz").status == 405


def test_no_answer_repeats_the_article(server: Running) -> None:
    for body in ({"text": "密" * 300, "x": 1}, {"text": ["密密密"]}, {"密": "密"}):
        assert "密密" not in server.post("/v1/headlines", body).detail
    assert not any("密" in line for line in server.told)


def test_scores_are_those_of_the_model(server: Running, generator: Generator) -> None:
    headlines = ["天地", "玄黄", ""]
    body = {"text": ARTICLES[0], "headlines": headlines}
    found = [one["score"] for one in server.post("/v1/score", body).json["results"]]
    known = generator.score([ARTICLES[0]] * 3, headlines)
    assert found == [round(score, 4) for score in known]
    blank = server.post("/v1/score", {"text": " ", "headlines": ["天"]})
    assert blank.json == {"results": [{"score": None}]}


def test_an_explanation_points_at_the_article(server: Running) -> None:
    generator = Generator.load(TRAINED)
    explainer = Explainer.beside(generator, load_bundle(TRAINED))
    known = explainer.explain(ARTICLES[0], generator.generate([ARTICLES[0]])[0])

    found = server.post("/v1/explain", {"text": ARTICLES[0]}).json

    assert found["source"] == list(known.source)
    (headline,) = found["headlines"]
    tokens = known.headlines[0].tokens[:-1]
    assert [one["text"] for one in headline["tokens"]] == [t.text for t in tokens]
    for one, token in zip(headline["tokens"], tokens, strict=True):
        place = one["places"][0]["place"]
        assert place == int(token.weights.argmax())
        assert one["copied"] == token.is_copied
        if token.is_copied:
            assert found["source"][place] == one["text"]
    again = {"text": ARTICLES[0], "headlines": [headline["text"], "天"]}
    both = server.post("/v1/explain", again).json["headlines"]
    assert both[0]["text"] == headline["text"] and both[1]["text"] == "天"
    assert server.post("/v1/explain", {"text": ""}).json["headlines"] == []


def test_the_model_tells_its_settings_and_their_schema(server: Running) -> None:
    about = server.get("/v1/model").json
    known = {one.name: one for one in schema(DecodeConfig) if one.name in ASKED}

    assert about["options"]["properties"].keys() == known.keys()
    assert about["defaults"].keys() == known.keys()
    for name, described in about["options"]["properties"].items():
        assert described["description"] == known[name].about.help
        assert described["default"] == about["defaults"][name]
    assert about["training"]["valid"]["rouge_l"] == 100
    assert about["max_source_length"] == load_bundle(TRAINED).max_source_length
    assert {one.name for one in fields(DecodeConfig)} - known.keys() == {
        "batch_size",
        "shortlist",
        "by_chance",
    }


def test_the_description_is_whole(server: Running) -> None:
    described = server.get("/openapi.json").json
    assert {"/v1/headlines", "/v1/explain", "/v1/score"} <= described["paths"].keys()
    known = described["components"]["schemas"]
    options = known["Articles"]["properties"]["options"]["properties"]
    assert options.keys() == ASKED

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(place := value.get("$ref"), str):
                yield place
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    named = {place.rpartition("/")[2] for place in references(described)}
    assert named and named <= known.keys()


def test_the_metrics_count(server: Running) -> None:
    name = 'headline_requests_total{route="/v1/headlines",status="200"}'
    before = server.figure(name), server.figure("headline_articles_total")
    server.post("/v1/headlines", {"texts": ARTICLES[:3]})
    assert server.figure(name) == before[0] + 1
    assert server.figure("headline_articles_total") == before[1] + 3
    assert server.figure("headline_queue_articles") == 0
    server.get("/nowhere/at/all")
    assert server.figure('headline_requests_total{route="other",status="404"}') >= 1


def test_the_page_is_served_with_all_its_files(server: Running) -> None:
    page = server.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    parts = re.findall(r'(?:src|href)="(page/[^"]+)"', page.body.decode())
    for name in [*parts]:
        text = server.get(f"/{name}").body.decode()
        parts += [f"page/{other}" for other in re.findall(r'from "\./([^"]+)"', text)]
    folder = files("headline.serving").joinpath("page")
    assert {one.rpartition("/")[2] for one in parts} | {"index.html"} == {
        one.name for one in folder.iterdir()
    }
    assert all(server.get(f"/{name}").status == 200 for name in parts)
    assert "http" not in re.sub(r'xmlns="\S+"', "", page.body.decode())
    for path in ("/page/index.html", "/page/../guard.py", "/page/nothing.js"):
        assert server.get(path).status == 404


def test_answers_say_what_a_browser_may_do(server: Running) -> None:
    for path in ("/healthz", "/nowhere"):
        headers = server.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
