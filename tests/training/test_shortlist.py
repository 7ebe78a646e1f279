"""The softmax of an update over some tokens learns what one over all would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.store import Side
from headline.network.model import COLUMNS, LABEL_COLUMNS, LOG_SHARES
from headline.text.ids import EOS, PAD, UNK, Ids
from headline.training.shortlist import REMOVED, Shortlist
from tests.models import TINY, random_model, random_sources, training_batch

V, FREQUENT = 30, 8
labels = st.lists(st.integers(EOS, V + 5), min_size=1, max_size=20)


def side(rows: list[list[int]], new_ids: Ids | None = None) -> Side:
    offsets = np.cumsum([0, *map(len, rows)])
    return Side(
        np.concatenate([np.array(row, np.uint16) for row in rows]), offsets, new_ids
    )


def shortlist(frequent: int = FREQUENT) -> Shortlist:
    return Shortlist(frequent, np.where(np.arange(V) < frequent, 0, -1.0).astype("f4"))


@given(parts=st.lists(labels, min_size=1, max_size=3), step=st.sampled_from([1, 4]))
def test_each_label_has_its_column_and_no_token_stands_twice(
    parts: list[list[int]], step: int
) -> None:
    batches = [np.array([part]) for part in parts]
    columns, log_shares = shortlist().columns(batches, step)

    real = columns[log_shares < REMOVED]
    assert columns[:FREQUENT].tolist() == list(range(FREQUENT))
    assert len(set(real.tolist())) == len(real)
    assert (len(columns) - FREQUENT) % step == 0
    assert (columns[len(real) :] == PAD).all()
    assert (log_shares[: len(real)] == np.where(real < FREQUENT, 0, -1)).all()
    for batch in batches:
        found = columns[shortlist().places(batch, columns)]
        np.testing.assert_array_equal(found, np.where(batch < V, batch, UNK))


def test_log_shares_are_those_of_updates_that_need_the_token() -> None:
    rng = np.random.default_rng(2)
    likely = 1.0 / np.arange(1, V - EOS + 1) ** 1.5
    rows = [
        rng.choice(np.arange(EOS, V), 6, p=likely / likely.sum()).tolist()
        for _ in range(4000)
    ]
    found = np.exp(Shortlist.of(side(rows), V, FREQUENT, pairs=5).log_shares)

    updates = [set().union(*rows[at : at + 5]) for at in range(0, 4000, 5)]
    for token in range(FREQUENT, V):
        share = np.mean([token in update for update in updates])
        assert found[token] == pytest.approx(share, abs=0.06)
    assert (found[:FREQUENT] == 1).all()


def test_rare_tokens_learn_how_likely_they_are() -> None:
    """Logits without a context, learned from updates, against the plain shares."""
    rng = np.random.default_rng(3)
    likely = 1.0 / np.arange(1, V - EOS + 1)
    rows = rng.choice(np.arange(EOS, V), (8000, 4), p=likely / likely.sum())
    shortlist = Shortlist.of(side(rows.tolist()), V, FREQUENT, pairs=2)
    logits = np.zeros(V)
    for number, update in enumerate(rows.reshape(-1, 2, 4)):
        columns, log_shares = shortlist.columns([update])
        found = np.exp(logits[columns] - log_shares)
        slope = -found / found.sum()
        np.add.at(slope, shortlist.places(update.ravel(), columns), 1 / update.size)
        logits[columns] += 2 / (1 + number / 200) * slope

    expected = np.bincount(rows.ravel(), minlength=V)[FREQUENT:] / rows.size
    learned = (np.exp(logits) / np.exp(logits).sum())[FREQUENT:]
    assert 0.8 < np.exp(np.log(learned / expected).mean()) < 1.25


def test_counts_are_of_the_ids_that_the_vocab_has_whatever_their_number() -> None:
    rows = [[5, 6, 5], [9, 5]]
    assert side(rows).counts(7).tolist() == [0, 0, 0, 0, 0, 3, 1]
    new_ids = np.array([0, 1, 2, 3, 4, 6, 5, 7], np.int32)  # of 7 tokens, and the next
    assert side(rows, new_ids).counts(7).tolist() == [0, 0, 0, 0, 0, 1, 3]
    assert side([[7]], new_ids).counts(9)[7] == 1


@pytest.mark.parametrize("preset", list(TINY))
def test_with_all_columns_in_another_order_the_loss_is_that_of_the_vocab(
    preset: str,
) -> None:
    model = random_model(TINY[preset])
    vocab_size = model.config.vocab_size
    batch = training_batch(
        model.config, random_sources(model.config, [6, 3]), [[7, vocab_size - 1], [5]]
    )
    order = np.random.default_rng(1).permutation(vocab_size).astype(np.int32)
    generable = np.where(batch["labels"] < vocab_size, batch["labels"], UNK)
    places = np.argsort(order)[generable].astype(np.int32)
    zeros = np.zeros((1, vocab_size), np.float32)
    wide = batch | {COLUMNS: order[None], LOG_SHARES: zeros, LABEL_COLUMNS: places}

    losses = [
        float(model.compute_loss(one, y_pred=model(one))) for one in (batch, wide)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_what_is_taken_from_a_logit_leaves_a_padded_column_nothing() -> None:
    model = random_model(TINY["pointer"])
    batch = training_batch(model.config, random_sources(model.config, [6]), [[7, 5]])
    columns, log_shares = shortlist(9).columns([batch["labels"]])
    padded = shortlist(9).columns([batch["labels"]], 16)
    places = shortlist(9).places(batch["labels"], columns)
    losses = [
        float(model.compute_loss(one, y_pred=model(one)))
        for ids, shares in ((columns, log_shares), padded)
        for one in [
            batch
            | {COLUMNS: ids[None], LOG_SHARES: shares[None], LABEL_COLUMNS: places}
        ]
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
