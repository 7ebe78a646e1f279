"""The clustering VAE: exact topics by Bayes' rule, and the loss that follows."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.engines.base import Floats
from headline.network.gaussians import log_normal
from headline.network.topic_vae import (
    NORM,
    TopicVae,
    divergence_over_topics,
    log_posterior,
    log_prior,
)
from headline.settings.topics import TopicsConfig
from tests.network.values import random

CONFIG = TopicsConfig(topics=3, latent_size=2, hidden_size=5)
TOTALS = np.array([5, 3, 1, 1], np.float32)
WEIGHTS = np.array([0.5, 1.0, 2.0, 1.5], np.float32)
COUNTS = np.array([[2, 0, 1, 0], [0, 1, 0, 3]], np.float32)

# Rows, dimensions, topics: few, because JAX compiles each of them.
shapes = st.sampled_from([(1, 1, 1), (3, 2, 4), (2, 5, 3)])
seeds = st.integers(0, 2**31 - 1)


def numpy_of(tensor: object) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def plain_density(z: Floats, centre: Floats) -> float:
    """The density of N(centre, I) at z."""
    away = float(np.square(z.astype(np.float64) - centre).sum())
    return float(np.exp(-away / 2) / (2 * np.pi) ** (len(z) / 2))


@given(shape=shapes, seed=seeds)
def test_the_topics_given_z_are_exactly_those_of_bayes_rule(
    shape: tuple[int, int, int], seed: int
) -> None:
    rows, size, topics = shape
    z, centres = random(rows, size, seed=seed), random(topics, size, seed=seed + 1)

    found = np.exp(numpy_of(log_posterior(z, centres)))

    for row, point in zip(found, z, strict=True):
        joint = np.array([plain_density(point, one) / topics for one in centres])
        np.testing.assert_allclose(row, joint / joint.sum(), rtol=1e-4, atol=1e-6)
        prior = numpy_of(log_prior(point[None], centres))
        np.testing.assert_allclose(prior, np.log(joint.sum()), rtol=1e-4, atol=1e-5)


@given(shape=shapes, seed=seeds)
def test_the_exact_topics_give_the_lowest_divergence_and_that_of_the_loss(
    shape: tuple[int, int, int], seed: int
) -> None:
    rows, size, topics = shape
    z, centres = random(rows, size, seed=seed), random(topics, size, seed=seed + 1)
    density = random(rows, seed=seed + 2)
    other = np.log(np.random.default_rng(seed).dirichlet(np.ones(topics), rows))

    exact = log_posterior(z, centres)
    lowest = numpy_of(divergence_over_topics(density, z, centres, exact))
    higher = divergence_over_topics(density, z, centres, other.astype("float32"))

    wanted = density - numpy_of(log_prior(z, centres))
    np.testing.assert_allclose(lowest, wanted, rtol=1e-4, atol=1e-4)
    assert (numpy_of(higher) >= lowest - 1e-4).all()


def test_a_topic_far_from_z_gets_probability_0_and_no_nan() -> None:
    centres = np.array([[0.0, 0.0], [1e3, 0.0]], np.float32)
    found = np.exp(numpy_of(log_posterior(np.zeros((1, 2), np.float32), centres)))
    np.testing.assert_array_equal(found, [[1.0, 0.0]])


def test_log_normal_is_the_density_of_a_normal_distribution() -> None:
    z, mean, log_variance = (random(4, 3, seed=seed) for seed in (1, 2, 3))
    variance = np.exp(log_variance)
    density = np.exp(-np.square(z - mean) / (2 * variance))
    density /= np.sqrt(2 * np.pi * variance)
    found = numpy_of(log_normal(z, mean, log_variance))
    np.testing.assert_allclose(found, np.log(density).sum(axis=1), rtol=1e-5)


def model() -> TopicVae:
    keras.utils.set_random_seed(1)
    return TopicVae(CONFIG, WEIGHTS, TOTALS)


def test_the_encoder_reads_tf_idf_of_one_norm_and_an_empty_bag_as_zeros() -> None:
    found = numpy_of(model().read(np.vstack([COUNTS, np.zeros((1, 4), np.float32)])))
    plain = np.log1p(COUNTS) * WEIGHTS
    plain *= NORM / np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(found[:2], plain, rtol=1e-5)
    np.testing.assert_array_equal(found[2], 0)


def test_a_fresh_decoder_predicts_the_shares_of_the_corpus() -> None:
    fresh = model()
    outputs = fresh(np.zeros((1, 4), np.float32))  # its z is the bias of the mean, 0
    np.testing.assert_array_equal(numpy_of(outputs["z"]), 0)
    shares = numpy_of(keras.ops.softmax(outputs["logits"]))
    np.testing.assert_allclose(shares[0], TOTALS / TOTALS.sum(), rtol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_loss_is_reconstruction_and_weighted_divergence(weight: float) -> None:
    fresh = model()
    outputs = {name: numpy_of(one) for name, one in fresh(COUNTS).items()}
    outputs["z"] = outputs["z"] + random(2, 2)  # a sample, not the mean
    fresh.kl_weight.assign(weight)

    loss = float(fresh.compute_loss(COUNTS, y_pred=outputs))

    logs = outputs["logits"] - np.log(np.exp(outputs["logits"]).sum(1, keepdims=True))
    z, centres = outputs["z"], numpy_of(fresh.centres)
    density = log_normal(z, outputs["mean"], outputs["log_variance"])
    exact = log_posterior(z, centres)
    divergence = numpy_of(divergence_over_topics(density, z, centres, exact))
    wanted = -(COUNTS * logs).sum(axis=1) + weight * divergence
    assert loss == pytest.approx(wanted.mean(), rel=1e-4)


def test_updates_lower_the_loss_and_move_every_weight() -> None:
    fitted = model()
    fitted(COUNTS)
    fitted.compile(
        keras.optimizers.Adam(0.05), jit_compile=keras.backend.backend() == "jax"
    )
    fitted.kl_weight.assign(1.0)
    before = [numpy_of(one).copy() for one in fitted.trainable_weights]
    losses = []
    for _ in range(60):
        fitted.reset_metrics()
        losses.append(float(fitted.train_on_batch(COUNTS, return_dict=True)["loss"]))
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    for weight, old in zip(fitted.trainable_weights, before, strict=True):
        assert not np.array_equal(numpy_of(weight), old), weight.path
