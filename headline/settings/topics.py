"""Settings of ``headline topics``: how the topic model is fitted."""

from dataclasses import dataclass

from headline.settings.base import SEED, Config, Device, Range, setting

MOST_TOPICS = 1000
# Without --epochs, a fit reads about this many articles, but each of them at least
# FEWEST_EPOCHS times and at most MOST_EPOCHS times.
ARTICLES_READ = 200_000
FEWEST_EPOCHS, MOST_EPOCHS = 5, 60

_TOPICS, _UPDATES, _NETWORK = "Topics", "Updates", "Network"


@dataclass(frozen=True, kw_only=True)
class TopicsConfig(Config):
    """How the topics of a dataset are found."""

    section = "topics"

    topics: int = setting(
        10,
        "Number of topics to look for; some may get no article.",
        group=_TOPICS,
        level="basic",
        unit="topics",
        range=Range(low=2, high=MOST_TOPICS),
    )
    fit_articles: int = setting(
        50_000,
        "Fit on this many train articles at most, evenly spaced; every article still"
        " gets a topic.",
        group=_TOPICS,
        unit="articles",
        range=Range(low=2),
    )
    tokens: int = setting(
        3000,
        "Count only this many tokens of the vocabulary, the most frequent ones.",
        group=_TOPICS,
        unit="tokens",
        range=Range(low=2, high=100_000),
    )
    # None: see ``epochs_for``.
    epochs: int | None = setting(
        None,
        "Number of passes over the articles.",
        group=_UPDATES,
        level="basic",
        unit="epochs",
        range=Range(low=1, high=100_000),
        default_text=f"{FEWEST_EPOCHS} to {MOST_EPOCHS}, fewer for more articles",
    )
    batch_size: int = setting(
        64,
        "Number of articles in a batch.",
        group=_UPDATES,
        unit="articles",
        range=Range(low=1, high=65536),
    )
    learning_rate: float = setting(
        5e-3,
        "Learning rate of Adam at the start; it falls linearly.",
        group=_UPDATES,
        unit="rate",
        range=Range(above=0, below=10),
    )
    recentre_after: float = setting(
        0.4,
        "Share of the updates after which k-means sets the centres of the topics (1:"
        " never).",
        group=_UPDATES,
        unit="share",
        range=Range(above=0, high=1),
    )
    seed: int = setting(
        1,
        "Random seed of weights, dropout, samples and the order of articles.",
        group=_UPDATES,
        level="basic",
        range=SEED,
    )
    latent_size: int = setting(
        16,
        "Dimensions of the latent variable z.",
        group=_NETWORK,
        unit="dimensions",
        range=Range(low=1, high=1024),
    )
    hidden_size: int = setting(
        128,
        "Width of the encoder's hidden layer.",
        group=_NETWORK,
        unit="units",
        range=Range(low=1, high=65536),
    )
    input_dropout: float = setting(
        0.5,
        "Share of the counts that the encoder does not see in an update.",
        group=_NETWORK,
        unit="share",
        range=Range(low=0, below=1),
    )
    device: Device = setting(
        "auto",
        "Processor to train on; auto takes a GPU if there is one.",
        group="Machine",
        level="basic",
    )

    def epochs_for(self, articles: int) -> int:
        """Returns the number of passes over so many articles."""
        if self.epochs is not None:
            return self.epochs
        wanted = round(ARTICLES_READ / articles)
        return min(max(wanted, FEWEST_EPOCHS), MOST_EPOCHS)
