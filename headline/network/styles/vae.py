"""The style VAE: one-step clustering of the forms of headlines, given their articles.

A headline t with the form f, of an article a, has a style y, one of K, and a latent
vector z:

    p(f, z, y | a) = p(y|a) N(z; centre_y, I) p(f|z, a)
    q(z, y | t, a) = q(z|t, a) p(y|z, a)

Training minimises the KL divergence of both joint distributions, up to a constant. With
the exact p(y|z, a), which Bayes' rule gives, the sum over y is ``mixture_log_density``:

    loss = E_q[-log p(f|z, a)] + E_q[log q(z|t, a) - log sum_y p(y|a) N(z; centre_y, I)]

The second term is the KL of z to its prior. Its mean is the prior term KL(q(z) | p(z))
plus the mutual information I(z; t), see ``information.split_kl``; the first
``FREE_NATS`` of it cost nothing, so that the information is kept.

That p(y|a) and p(f|z, a) know the article makes y a style and not a topic. What y
nevertheless knows of the article, I(y; x), is a third term, ``topic_information``.

Shape letters: B headlines, F features of a form, 2H features of an article, D sizes of
the latent vector, K styles.

References: J. Su, 变分自编码器(二), https://kexue.fm/archives/5343 (the joint KL), and
变分自编码器(四), https://kexue.fm/archives/5887 (one-step clustering).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from headline.network.gaussians import LOG_VARIANCES, log_normal
from headline.network.styles.form import FormSpace, Group
from headline.network.styles.posterior import HIDDEN, LATENT, PRIOR_HIDDEN

Floats = NDArray[np.float32]
Tensors = dict[str, KerasTensor]

# Nats of the KL that cost nothing: a latent that is worth less would be given up.
FREE_NATS = 2.0
TOPIC_WEIGHT = 1.0  # of I(y; x) in the loss
ARTICLE_DROPOUT = 0.3
CENTRE_SCALE = 1.5  # standard deviation of the first centres


class Terms(NamedTuple):
    """What is measured of N headlines, in nats per headline."""

    reconstruction: float  # E_q[-log p(f|z, a)]
    kl: float  # E_q[log q(z|t, a) - log p(z|a)]
    z: Floats  # (N, D): one draw for each headline
    mean: Floats  # (N, D): of q(z|t, a)
    log_variance: Floats  # (N, D)
    log_prior: Floats  # (N, K): log p(y|a)


@keras.saving.register_keras_serializable(package="headline")
class StyleVAE(keras.Model):
    """See the module; ``compile`` it with an optimizer and without a loss.

    Call arguments: a dict of float arrays
        ``form`` (B, F): encoded forms, 0 or 1.
        ``article`` (B, 2H): standardised features of the articles.

    Returns:
        a dict: ``mean``, ``log_variance`` and ``z`` (B, D), ``logits`` (B, F) and
        ``log_prior`` (B, K).

    Args:
        warmup: updates until the KL counts in full.
        seed: of weights, dropout and z.
        groups: the groups of features with other weights; those of the space if left
            out.
    """

    def __init__(
        self,
        space: FormSpace,
        width: int,
        styles: int,
        warmup: int,
        seed: int,
        groups: tuple[Group, ...] | None = None,
    ) -> None:
        super().__init__(name="style_vae")
        self.space, self.styles, self.warmup = space, styles, warmup
        self.groups = groups or space.groups
        self.article_size = 2 * width
        initial = iter(range(seed * 100, seed * 100 + 100))

        def dense(units: int, name: str, activation: str | None = None) -> Any:
            glorot = keras.initializers.GlorotUniform(next(initial))
            return keras.layers.Dense(
                units, activation, kernel_initializer=glorot, name=name
            )

        self.hidden = dense(HIDDEN, "hidden", "tanh")
        self.mean, self.log_variance = dense(LATENT, "mean"), dense(LATENT, "variance")
        self.article_hidden = dense(HIDDEN, "article_hidden", "relu")
        self.article_logits = dense(space.size, "article_logits")
        self.latent_logits = dense(space.size, "latent_logits")
        self.prior_hidden = dense(PRIOR_HIDDEN, "prior_hidden", "tanh")
        self.prior = dense(styles, "prior")
        self.dropout = keras.layers.Dropout(ARTICLE_DROPOUT, seed=next(initial))
        self.noise = keras.random.SeedGenerator(next(initial))
        self._centres_seed = next(initial)
        self.parts = [keras.metrics.Mean(name=name) for name in ("nll", "kl")]

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight; the shapes follow from the arguments alone."""
        both = self.space.size + self.article_size
        for layers, size in (
            ((self.hidden,), both),
            ((self.mean, self.log_variance), HIDDEN),
            ((self.article_hidden, self.prior_hidden), self.article_size),
            ((self.article_logits,), HIDDEN),
            ((self.latent_logits,), LATENT),
            ((self.prior,), PRIOR_HIDDEN),
        ):
            for layer in layers:
                layer.build((None, size))
        normal = keras.initializers.RandomNormal(
            stddev=CENTRE_SCALE, seed=self._centres_seed
        )
        self.centres = self.add_weight((self.styles, LATENT), normal, name="centres")
        self.updates = self.add_weight((), "zeros", trainable=False, name="updates")
        self.built = True

    def call(self, inputs: Tensors, training: bool = False) -> Tensors:
        article = self.dropout(inputs["article"], training=training)
        mean, log_variance = self.encode(inputs["form"], article)
        z = mean
        if training:
            noise = keras.random.normal(ops.shape(mean), seed=self.noise)
            z = mean + ops.exp(log_variance / 2) * noise
            self.updates.assign_add(1.0)
        known = self.article_logits(self.article_hidden(article))
        return {
            "mean": mean,
            "log_variance": log_variance,
            "z": z,
            "logits": known + self.latent_logits(z),
            "log_prior": ops.log_softmax(self.prior(self.prior_hidden(article))),
        }

    def encode(
        self, form: KerasTensor, article: KerasTensor
    ) -> tuple[KerasTensor, KerasTensor]:
        """Returns mean and log-variance of q(z|t, a), both of shape ``(B, D)``."""
        hidden = self.hidden(ops.concatenate([form, article], axis=-1))
        return self.mean(hidden), ops.clip(self.log_variance(hidden), *LOG_VARIANCES)

    def compute_loss(
        self,
        x: Tensors,
        y: Any = None,
        y_pred: Tensors | None = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> KerasTensor:
        """Returns the loss of a batch in nats per headline."""
        assert y_pred is not None
        found = y_pred
        nll = ops.mean(reconstruction(self.groups, x["form"], found["logits"]))
        kl = ops.mean(joint_kl(found, self.centres))
        for metric, value in zip(self.parts, (nll, kl), strict=True):
            metric.update_state(value)
        rise = ops.minimum(self.updates / max(1, self.warmup), 1.0)
        topical = topic_information(found["log_prior"])
        return nll + rise * ops.maximum(kl, FREE_NATS) + TOPIC_WEIGHT * topical

    def evaluate_terms(self, inputs: dict[str, Floats], seed: int) -> "Terms":
        """Returns the terms of the loss for N headlines, with one draw of z for each.

        Args:
            inputs: see the class.
            seed: of the draw.
        """
        found = self(inputs, training=False)
        noise = np.random.default_rng(seed).normal(size=found["mean"].shape)
        spread = ops.exp(found["log_variance"] / 2) * ops.cast(noise, "float32")
        z = found["mean"] + spread
        logits = (
            found["logits"] + self.latent_logits(z) - self.latent_logits(found["z"])
        )
        nll = reconstruction(self.groups, inputs["form"], logits)
        kl = joint_kl(found | {"z": z}, self.centres)
        names = "mean", "log_variance", "log_prior"
        arrays = {name: ops.convert_to_numpy(found[name]) for name in names}
        return Terms(
            reconstruction=float(ops.mean(nll)),
            kl=float(ops.mean(kl)),
            z=ops.convert_to_numpy(z),
            **arrays,
        )

    def judge_arrays(self, mean: Floats, scale: Floats) -> dict[str, Floats]:
        """Returns the arrays of the ``StyleJudge``.

        Args:
            mean, scale: of the features of the articles, for standardising them.
        """
        hidden, bias = map(keras.ops.convert_to_numpy, self.hidden.weights)
        arrays = {
            "article/mean": mean,
            "article/scale": scale,
            "hidden/form": hidden[: self.space.size],
            "hidden/article": hidden[self.space.size :],
            "hidden/bias": bias,
            "centres": keras.ops.convert_to_numpy(self.centres),
        }
        for name, layer in (
            ("latent", self.mean),
            ("prior_hidden", self.prior_hidden),
            ("prior", self.prior),
        ):
            for part, weight in zip(("kernel", "bias"), layer.weights, strict=True):
                arrays[f"{name}/{part}"] = keras.ops.convert_to_numpy(weight)
        return {name: np.array(one, np.float32) for name, one in arrays.items()}


# --- the terms of the loss ------------------------------------------------------------


def reconstruction(
    groups: tuple[Group, ...], form: KerasTensor, logits: KerasTensor
) -> KerasTensor:
    """Returns -log p(f|z, a), with the weights of the groups: nats, ``(B,)``."""
    total = 0.0
    for group in groups:
        features = form[:, group.begin : group.end]
        scores = logits[:, group.begin : group.end]
        if group.is_choice:
            log_probs = ops.log_softmax(scores, axis=-1)
            loss = -ops.sum(features * log_probs, axis=-1)
        else:
            # -log sigmoid(scores) where the feature is 1, -log sigmoid(-scores) where 0
            loss = ops.sum(ops.softplus(scores) - features * scores, axis=-1)
        total = total + group.weight * loss
    return total


def joint_kl(found: Mapping[str, KerasTensor], centres: KerasTensor) -> KerasTensor:
    """Returns log q(z|t, a) - log p(z|a) at the drawn z: nats, ``(B,)``.

    Its mean is the prior term and the mutual information of ``split_kl`` together.

    Args:
        found: what the model returns.
        centres: shape ``(K, D)``.
    """
    z, mean, log_variance = found["z"], found["mean"], found["log_variance"]
    return log_normal(z, mean, log_variance) - mixture_log_density(
        z, found["log_prior"], centres
    )


def mixture_log_density(
    z: KerasTensor, log_prior: KerasTensor, centres: KerasTensor
) -> KerasTensor:
    """Returns log p(z|a) = log sum_y p(y|a) N(z; centre_y, I), shape ``(B,)``.

    The sum over y is exact, so no p(y|z) is learned.

    Args:
        z: shape ``(B, D)``.
        log_prior: log p(y|a), shape ``(B, K)``.
        centres: shape ``(K, D)``.
    """
    densities = log_normal(z[:, None, :], centres[None])
    return ops.logsumexp(log_prior + densities, axis=-1)


def topic_information(log_prior: KerasTensor) -> KerasTensor:
    """Returns I(y; x) of a batch: what the styles know of the articles, in nats.

    Args:
        log_prior: log p(y|a), shape ``(B, K)``.
    """
    prior = ops.exp(log_prior)
    mean = ops.maximum(ops.mean(prior, axis=0), 1e-12)
    return ops.mean(ops.sum(prior * log_prior, axis=-1)) - ops.sum(mean * ops.log(mean))
