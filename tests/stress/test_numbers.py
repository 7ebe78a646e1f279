"""Some headlines of articles full of numbers; `make stress` writes many more."""

from tests.stress.numbers import Numbers


def test_no_headline_has_a_run_that_its_article_lacks() -> None:
    numbers = Numbers(seed=5)
    for _ in range(20):
        numbers.run(articles=6)
    assert numbers.outcomes["with runs"] > 60
    assert sum(", " in outcome for outcome in numbers.outcomes) == 4  # all writers
