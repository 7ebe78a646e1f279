"""Compares ways to find topics, by the ten themes of the sample generator.

    python -m tests.benchmarks.topics --pairs 4500 --sample-seed 1 --seeds 3

Each way is fitted on the train articles and sorts the held-out ones. Printed is the
normalised mutual information of its topics with the themes, for each random seed.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.sample.assemble import make_pairs
from headline.data.bags import BagMaker, Floats
from headline.data.prepare import Job, prepare
from headline.data.store import SPLITS, Dataset, open_dataset
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.settings.topics import TopicsConfig
from headline.text.normalise import normalise
from headline.training.k_means import k_means, nearest

TOPICS = 10
HELD_OUT = SPLITS[1:]
LSA_SIZES = 10, 20, 50

Labels = NDArray[np.intp]


def normalised_information(one: Labels, other: Labels) -> float:
    """Returns 2 I(a;b) / (H(a) + H(b)): 1 for equal partitions, 0 for unrelated ones.

    Args:
        one, other: the labels of the same things, from 0, shape ``(N,)``.
    """
    joint = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(joint, (one, other), 1 / len(one))
    entropies = entropy(joint.sum(axis=1)) + entropy(joint.sum(axis=0))
    if entropies == 0:
        return 1.0  # both have one part only
    return 2 * (entropies - entropy(joint.ravel())) / entropies


def entropy(shares: NDArray[np.float64]) -> float:
    """Returns the entropy of a distribution in nats."""
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


class Case(NamedTuple):
    """The articles to sort: bags of train and of held-out ones, and their themes."""

    dataset: Dataset
    train: Floats  # counts, (N, V)
    held_out: Floats
    themes: Labels  # of the held-out articles
    weights: Floats  # inverse document frequencies, (V,)


def make_case(folder: Path, pairs: int, seed: int) -> Case:
    """Makes a sample corpus, prepares it, and finds the themes of its articles."""
    made = make_pairs(pairs, seed)
    job = Job(
        files=[],
        data_dir=folder / "data",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.1, test_size=0.2),
        pairs=[(pair.content, pair.title) for pair in made],
    )
    prepare(job)
    dataset = open_dataset(job.data_dir)
    theme_of = {normalise(pair.title): pair.theme for pair in made}
    titles = [title for split in HELD_OUT for title in dataset.headlines(split)]
    _, themes = np.unique([theme_of[title] for title in titles], return_inverse=True)
    train = dataset.splits["train"].source
    maker = BagMaker.chosen_from(dataset, np.arange(len(train)), TopicsConfig.tokens)
    return Case(
        dataset,
        maker.bags(train, range(len(train))),
        np.concatenate([_bags_of(dataset, split, maker) for split in HELD_OUT]),
        themes,
        maker.weights,
    )


def _bags_of(dataset: Dataset, split: str, maker: BagMaker) -> Floats:
    source = dataset.splits[split].source
    return maker.bags(source, range(len(source)))


def unit(rows: Floats) -> Floats:
    """Returns the rows scaled to the norm 1."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.maximum(norms, 1e-9)
    return scaled


def tf_idf(case: Case) -> tuple[Floats, Floats]:
    """Returns tf-idf with damped counts, of the train and the held-out articles."""
    one, other = (
        unit(np.log1p(counts) * case.weights) for counts in (case.train, case.held_out)
    )
    return one, other


def by_tf_idf(case: Case, seed: int) -> Labels:
    """k-means on tf-idf."""
    train, held_out = tf_idf(case)
    return nearest(held_out, k_means(train, TOPICS, np.random.default_rng(seed)))


def by_lsa(size: int) -> Callable[[Case, int], Labels]:
    """k-means on latent semantic analysis: tf-idf in ``size`` singular directions."""

    def found(case: Case, seed: int) -> Labels:
        train, held_out = tf_idf(case)
        axes = np.linalg.svd(train, full_matrices=False)[2][:size].T
        centres = k_means(unit(train @ axes), TOPICS, np.random.default_rng(seed))
        return nearest(unit(held_out @ axes), centres)

    return found


def by_vae(config: TopicsConfig) -> Callable[[Case, int], Labels]:
    """The topics of ``headline topics`` with these settings."""

    def found(case: Case, seed: int) -> Labels:
        from headline.training.topics import assign, fit_topics

        seeded = replace(config, seed=seed)
        model, maker, _ = fit_topics(case.dataset, seeded, lambda line: None)
        found = [assign(model, maker, case.dataset, split) for split in HELD_OUT]
        return np.concatenate([one.topics for one in found]).astype(np.intp)

    return found


WAYS: dict[str, Callable[[Case, int], Labels]] = {
    "k-means on tf-idf": by_tf_idf,
    **{f"k-means on LSA, {size} dimensions": by_lsa(size) for size in LSA_SIZES},
    "post (四), exact p(y given z)": by_vae(TopicsConfig(recentre_after=1.0)),
    "… its centres set by k-means after 40%": by_vae(TopicsConfig()),
}


def measured(case: Case, seeds: Sequence[int]) -> list[str]:
    """Returns the lines of the table, in Markdown."""
    lines = ["| way | NMI, by seed | mean | seconds |", "|---|---|---|---|"]
    for name, way in WAYS.items():
        begin = time.monotonic()
        found = [normalised_information(case.themes, way(case, seed)) for seed in seeds]
        seconds = (time.monotonic() - begin) / len(seeds)
        each = " ".join(f"{one:.3f}" for one in found)
        lines.append(f"| {name} | {each} | {np.mean(found):.3f} | {seconds:.0f} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Makes a case and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=4500, help="of the corpus")
    parser.add_argument("--sample-seed", type=int, default=1, help="of the corpus")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 1")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with TemporaryDirectory() as folder:
        case = make_case(Path(folder), options.pairs, options.sample_seed)
        print(f"{len(case.train):,} train articles, {len(case.themes):,} held out")
        measured(case, range(1, options.seeds + 1))


if __name__ == "__main__":
    main()
