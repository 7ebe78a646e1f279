"""The one-step clustering VAE of ``headline topics``, on bags of tokens.

An article x has a discrete topic y and a continuous z. The model q says how they come
about: q(y) = 1/K, q(z|y) = N(μ_y, I), and q(x|z) draws the tokens of x from a softmax.
The encoder gives p(z|x) = N(m(x), s²(x)). For p(y|z) no network is needed: the best one
is Bayes' rule in the model, p(y|z) = q(y) q(z|y) / q(z), and it is computed exactly.

Shape letters: B articles, V tokens, Z dimensions of z, K topics.

Reference: J. Su 2018, "变分自编码器(四)：一步到位的聚类方案",
https://kexue.fm/archives/5887
"""

import math
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from headline.data.bags import Floats
from headline.network.gaussians import LOG_VARIANCES, log_normal
from headline.settings.topics import TopicsConfig

SPREAD = 0.3  # standard deviation of the first centres
NORM = 10.0  # Euclidean norm of what the encoder reads of an article

Tensors = dict[str, KerasTensor]


def log_joint(z: KerasTensor, centres: KerasTensor) -> KerasTensor:
    """Returns log q(y) q(z|y) of each topic, shape ``(B, K)``.

    Args:
        z: shape ``(B, Z)``.
        centres: μ_y, shape ``(K, Z)``.
    """
    uniform = math.log(centres.shape[0])
    return log_normal(z[:, None, :], centres[None, :, :]) - uniform


def log_posterior(z: KerasTensor, centres: KerasTensor) -> KerasTensor:
    """Returns log p(y|z) by Bayes' rule, shape ``(B, K)``; see ``log_joint``."""
    return ops.log_softmax(log_joint(z, centres), axis=-1)


def log_prior(z: KerasTensor, centres: KerasTensor) -> KerasTensor:
    """Returns log q(z) = log Σ_y q(y) q(z|y), shape ``(B,)``; see ``log_joint``."""
    return ops.logsumexp(log_joint(z, centres), axis=-1)


def log_likelihood(counts: KerasTensor, logits: KerasTensor) -> KerasTensor:
    """Returns log q(x|z) of bags, without the multinomial coefficient, shape ``(B,)``.

    Args:
        counts: shape ``(B, V)``.
        logits: of the tokens given z, shape ``(B, V)``.
    """
    return ops.sum(counts * ops.log_softmax(logits, axis=-1), axis=-1)


class TopicVae(keras.Model):
    """The VAE: bags of tokens in, topics out.

    Its outputs are ``mean`` and ``log_variance`` of p(z|x), and ``z``, all of shape
    ``(B, Z)``: in training a sample of it, otherwise the mean. ``logits`` of the tokens
    have the shape ``(B, V)``.

    Args:
        config: the settings.
        weights: the factor of each token in what the encoder reads, shape ``(V,)``.
        totals: the occurrences of each token in the corpus, shape ``(V,)``. With z = 0
            the first decoder predicts these, so it learns only what differs from them.

    Attributes:
        centres: a weight, μ_y, shape ``(K, Z)``.
        kl_weight: a variable, the factor of the KL term in the loss.
    """

    def __init__(self, config: TopicsConfig, weights: Floats, totals: Floats) -> None:
        super().__init__(name="topic_vae")
        logs = np.log(totals / totals.sum())
        self._token_weights = self.add_weight(
            weights.shape, _constant(weights), trainable=False, name="token_weights"
        )
        self.dropout = keras.layers.Dropout(config.input_dropout, seed=config.seed)
        self.hidden = keras.layers.Dense(config.hidden_size, "tanh", name="hidden")
        self.mean = keras.layers.Dense(config.latent_size, name="mean")
        self.log_variance = keras.layers.Dense(
            config.latent_size, kernel_initializer="zeros", name="log_variance"
        )
        self.decoder = keras.layers.Dense(
            len(weights), bias_initializer=_constant(logs), name="decoder"
        )
        # The centres begin close together, so that q(z) is nearly N(0, I) until k-means
        # sets them. Centres far apart would pull z to places that mean nothing yet.
        self.centres = self.add_weight(
            (config.topics, config.latent_size),
            keras.initializers.RandomNormal(stddev=SPREAD),
            name="centres",
        )
        self.kl_weight = self.add_weight((), "zeros", trainable=False, name="kl_weight")
        self.noise = keras.random.SeedGenerator(config.seed)
        self.reconstruction = keras.metrics.Mean(name="reconstruction")
        self.divergence = keras.metrics.Mean(name="kl")

    def read(self, counts: KerasTensor) -> KerasTensor:
        """Returns what the encoder reads of bags: tf-idf, each row of the norm NORM.

        Args:
            counts: shape ``(B, V)``.
        """
        damped = ops.log1p(counts) * self._token_weights
        norms = ops.sqrt(ops.sum(ops.square(damped), axis=-1, keepdims=True))
        # An article without a counted token stays 0.
        return NORM * damped / ops.maximum(norms, 1e-6)

    def encode(
        self, counts: KerasTensor, training: bool = False
    ) -> tuple[KerasTensor, KerasTensor]:
        """Returns mean and log variance of p(z|x), both of shape ``(B, Z)``."""
        hidden = self.hidden(self.dropout(self.read(counts), training=training))
        log_variance = ops.clip(self.log_variance(hidden), *LOG_VARIANCES)
        return self.mean(hidden), log_variance

    def call(self, counts: KerasTensor, training: bool = False) -> Tensors:
        mean, log_variance = self.encode(counts, training)
        z = mean
        if training:
            noise = keras.random.normal(ops.shape(mean), seed=self.noise)
            z = mean + ops.exp(0.5 * log_variance) * noise
        logits = self.decoder(z)
        return {"mean": mean, "log_variance": log_variance, "z": z, "logits": logits}

    def compute_loss(
        self,
        x: KerasTensor = None,
        y: Any = None,
        y_pred: Tensors | None = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> KerasTensor:
        """Returns the mean loss of articles in nats: −log q(x|z) + weight · KL.

        KL is one sample of KL(p(z|x) ‖ q(z)) = E log p(z|x) − E log q(z). As p(y|z) is
        exact, this is also the sum over y of post (四): see ``divergence_over_topics``.
        """
        assert y_pred is not None
        z, mean, log_variance = (y_pred[n] for n in ("z", "mean", "log_variance"))
        reconstruction = -log_likelihood(x, y_pred["logits"])
        divergence = log_normal(z, mean, log_variance) - log_prior(z, self.centres)
        self.reconstruction.update_state(reconstruction)
        self.divergence.update_state(divergence)
        return ops.mean(reconstruction + self.kl_weight * divergence)

    def posterior(self, z: KerasTensor) -> KerasTensor:
        """Returns p(y|z), shape ``(B, K)``."""
        return ops.exp(log_posterior(z, self.centres))


def divergence_over_topics(
    log_density: KerasTensor,
    z: KerasTensor,
    centres: KerasTensor,
    log_topics: KerasTensor,
) -> KerasTensor:
    """Returns the KL term of post (四), with any p(y|z), for one z, shape ``(B,)``.

    Σ_y p(y|z) [log p(z|x) − log q(z|y)] + KL(p(y|z) ‖ q(y)). It is lowest with
    the exact p(y|z), and then equals log p(z|x) − log q(z), which the loss has.

    Args:
        log_density: log p(z|x), shape ``(B,)``.
        log_topics: log p(y|z), shape ``(B, K)``.
    """
    given = log_topics - log_joint(z, centres)  # log p(y|z) − log q(y) − log q(z|y)
    return log_density + ops.sum(ops.exp(log_topics) * given, axis=-1)


def _constant(values: Floats) -> Any:
    """Returns an initializer that gives these values."""

    def initial(shape: Any, dtype: Any = None) -> KerasTensor:
        return ops.convert_to_tensor(values, dtype)

    return initial
