"""The terms of the style VAE, against plain NumPy; and what it hands to the judge."""

import keras
import numpy as np
import pytest
from keras import ops

from headline.network.gaussians import log_normal
from headline.network.styles.posterior import StyleJudge, check_judge
from headline.network.styles.vae import (
    FREE_NATS,
    TOPIC_WEIGHT,
    StyleVAE,
    joint_kl,
    mixture_log_density,
    reconstruction,
    topic_information,
)
from tests.models import array
from tests.network.styles.judges import FORMS, SPACE

WIDTH, STYLES = 8, 3
GENERATOR = np.random.default_rng(4)
FEATURES = GENERATOR.normal(size=(3, 2 * WIDTH)).astype(np.float32)
CODES = SPACE.encode(FORMS)


def normal(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape).astype(np.float32)


def vae(seed: int = 1, warmup: int = 4) -> StyleVAE:
    model = StyleVAE(SPACE, WIDTH, STYLES, warmup, seed)
    model.build()
    return model


def density(z: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> float:
    """The density of a Gaussian, by the formula of the schoolbook."""
    parts = np.exp(-((z - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return float(np.prod(parts.astype(np.float64)))


def test_densities_are_those_of_gaussians_and_of_their_mixture() -> None:
    z, mean, log_variance = normal(4, 5), normal(4, 5), normal(4, 5)
    centres, prior = normal(STYLES, 5), GENERATOR.dirichlet(np.ones(STYLES), size=4)
    log_prior = np.log(prior).astype(np.float32)
    single = array(log_normal(*map(ops.convert_to_tensor, (z, mean, log_variance))))
    mixed = array(
        mixture_log_density(*map(ops.convert_to_tensor, (z, log_prior, centres)))
    )
    for row in range(4):
        one = density(z[row], mean[row], np.exp(log_variance[row]))
        assert single[row] == pytest.approx(np.log(one), rel=1e-4)
        parts = [density(z[row], centre, np.ones(5)) for centre in centres]
        assert mixed[row] == pytest.approx(np.log(prior[row] @ parts), rel=1e-4)


def test_the_kl_is_zero_where_the_posterior_is_the_prior() -> None:
    z, centre = normal(6, 5), normal(1, 5)
    found = {
        "z": z,
        "mean": np.repeat(centre, 6, axis=0),
        "log_variance": np.zeros((6, 5), np.float32),
        "log_prior": np.zeros((6, 1), np.float32),
    }
    tensors = {name: ops.convert_to_tensor(one) for name, one in found.items()}
    kl = array(joint_kl(tensors, ops.convert_to_tensor(centre)))
    np.testing.assert_allclose(kl, 0, atol=1e-5)


def test_the_reconstruction_sums_the_weighted_losses_of_the_groups() -> None:
    logits = normal(3, SPACE.size)
    expected = np.zeros(3)
    for row, group in ((row, group) for row in range(3) for group in SPACE.groups):
        own = logits[row, group.begin : group.end].astype(np.float64)
        code = CODES[row, group.begin : group.end]
        if group.is_choice:
            probs = np.exp(own) / np.exp(own).sum()
            loss = -np.log(probs[code.argmax()])
        else:
            probs = 1 / (1 + np.exp(-own))
            loss = -np.log(np.where(code > 0, probs, 1 - probs)).sum()
        expected[row] += group.weight * loss
    tensors = ops.convert_to_tensor(CODES), ops.convert_to_tensor(logits)
    np.testing.assert_allclose(
        array(reconstruction(SPACE.groups, *tensors)), expected, rtol=1e-5
    )


def test_the_topic_information_is_none_for_equal_articles_and_full_for_clear_ones() -> (
    None
):
    same = np.log(np.tile([0.2, 0.3, 0.5], (9, 1))).astype(np.float32)
    clear = np.log(np.eye(3)[np.arange(9) % 3] * 0.9999 + 3e-5).astype(np.float32)
    assert float(topic_information(ops.convert_to_tensor(same))) == pytest.approx(
        0, abs=1e-6
    )
    assert float(topic_information(ops.convert_to_tensor(clear))) == pytest.approx(
        np.log(3), abs=2e-3
    )


def test_the_loss_is_the_sum_of_its_terms_and_the_kl_comes_in_slowly() -> None:
    model = vae(warmup=4)
    x = {
        "form": ops.convert_to_tensor(CODES),
        "article": ops.convert_to_tensor(FEATURES),
    }
    found = model(x)
    nll = array(reconstruction(SPACE.groups, x["form"], found["logits"])).mean()
    kl = array(joint_kl(found, model.centres)).mean()
    topics = float(topic_information(found["log_prior"]))
    for updates, share in ((0, 0.0), (1, 0.25), (4, 1.0), (9, 1.0)):
        model.updates.assign(updates)
        expected = nll + share * max(kl, FREE_NATS) + TOPIC_WEIGHT * topics
        assert float(model.compute_loss(x, y_pred=found)) == pytest.approx(
            expected, rel=1e-5
        )


def test_the_judge_agrees_with_the_model() -> None:
    model = vae()
    mean, scale = FEATURES.mean(axis=0), FEATURES.std(axis=0) + np.float32(0.1)
    judge = StyleJudge(SPACE, model.judge_arrays(mean, scale))
    check_judge(judge, WIDTH)
    inputs = {"form": CODES, "article": (FEATURES - mean) / scale}
    terms = model.evaluate_terms(inputs, seed=1)
    np.testing.assert_allclose(judge.latent(FORMS, FEATURES), terms.mean, atol=1e-5)
    np.testing.assert_allclose(judge.prior(FEATURES), terms.log_prior, atol=1e-5)
    assert not np.allclose(terms.z, terms.mean)


def test_the_same_seed_makes_the_same_model_and_another_seed_another() -> None:
    one, same, other = (
        [array(weight) for weight in vae(seed).weights] for seed in (1, 1, 2)
    )
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_training_tells_two_kinds_of_headlines_apart() -> None:
    keras.utils.set_random_seed(1)
    model = vae(warmup=80)
    model.compile(keras.optimizers.Adam(0.01))
    rows = np.arange(640) % 2
    x = {"form": CODES[rows], "article": np.zeros((640, 2 * WIDTH), np.float32)}
    before = model.evaluate_terms(x, 1)
    model.fit(x, batch_size=16, epochs=3, verbose=0, shuffle=False)
    after = model.evaluate_terms(x, 1)
    assert after.reconstruction < before.reconstruction / 2
    apart = np.linalg.norm(after.mean[0] - after.mean[1])
    assert apart > 1
