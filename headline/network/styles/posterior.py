"""The judge of styles, with NumPy alone: which style a headline has, and which fits.

Shape letters: N headlines, F features of a form, 2H features of an article, D sizes of
the latent vector, K styles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.errors import BundleError
from headline.network.styles.form import Form, FormSpace

Floats = NDArray[np.float32]

HIDDEN, PRIOR_HIDDEN = 128, 64  # sizes of the hidden layers
LATENT = 8  # D, sizes of the latent vector
LARGEST = 1e6  # of a weight: greater ones can overflow float32


def judge_shapes(
    space: FormSpace, width: int, styles: int
) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each array of a judge, by its name.

    Args:
        width: H, the width of the network.
        styles: K.
    """
    article = 2 * width
    return {
        "article/mean": (article,),
        "article/scale": (article,),
        "hidden/form": (space.size, HIDDEN),
        "hidden/article": (article, HIDDEN),
        "hidden/bias": (HIDDEN,),
        "latent/kernel": (HIDDEN, LATENT),
        "latent/bias": (LATENT,),
        "centres": (styles, LATENT),
        "prior_hidden/kernel": (article, PRIOR_HIDDEN),
        "prior_hidden/bias": (PRIOR_HIDDEN,),
        "prior/kernel": (PRIOR_HIDDEN, styles),
        "prior/bias": (styles,),
    }


@dataclass(frozen=True, eq=False)
class StyleJudge:
    """The inference side of the style VAE; see ``vae`` for the whole model.

    Args:
        space: how forms are encoded.
        arrays: float32, by the names of ``judge_shapes``.
    """

    space: FormSpace
    arrays: Mapping[str, Floats]

    @property
    def styles(self) -> int:
        """K, the number of styles."""
        return len(self.arrays["centres"])

    def prior(self, articles: Floats) -> Floats:
        """Returns log p(y|a), how well each style fits an article: ``(N, K)``.

        Args:
            articles: the engine's features of the articles, shape ``(N, 2H)``.
        """
        hidden = np.tanh(self._dense(self._standardised(articles), "prior_hidden"))
        return log_softmax(self._dense(hidden, "prior"))

    def posterior(self, forms: Sequence[Form], articles: Floats) -> Floats:
        """Returns log q(y|t, a), which style each headline has: ``(N, K)``.

        Bayes' rule with the exact p(y|z): the styles are Gaussians around centres. The
        variance of z is the same for all of them, so its mean is enough.

        Args:
            forms: of N headlines.
            articles: the features of the article of each, shape ``(N, 2H)``.
        """
        means = self.latent(forms, articles)
        return self.styles_of(means, self.prior(articles))

    def latent(self, forms: Sequence[Form], articles: Floats) -> Floats:
        """Returns the mean of q(z|t, a) of N headlines, shape ``(N, D)``."""
        return self.latent_of(self.space.encode(forms), articles)

    def latent_of(self, encoded: NDArray[Any], articles: Floats) -> Floats:
        """Does what ``latent`` does, for forms that are encoded, ``(N, F)``."""
        hidden = encoded.astype(np.float32) @ self.arrays["hidden/form"]
        hidden += self._standardised(articles) @ self.arrays["hidden/article"]
        return self._dense(np.tanh(hidden + self.arrays["hidden/bias"]), "latent")

    def styles_of(self, latents: Floats, log_prior: Floats) -> Floats:
        """Returns log p(y|z, a) = log softmax_y(log p(y|a) - |z - centre_y|² / 2).

        Args:
            latents: z, shape ``(N, D)``.
            log_prior: log p(y|a), shape ``(N, K)``.

        Reference: J. Su, 变分自编码器(四), https://kexue.fm/archives/5887
        """
        apart = latents[:, None, :] - self.arrays["centres"]
        return log_softmax(log_prior - np.square(apart).sum(axis=-1) / 2)

    def reordered(self, order: Sequence[int]) -> "StyleJudge":
        """Returns the judge with its styles in another order.

        Args:
            order: which style comes at each place.
        """
        places = list(order)
        styles = {
            "centres": self.arrays["centres"][places],
            "prior/kernel": self.arrays["prior/kernel"][:, places],
            "prior/bias": self.arrays["prior/bias"][places],
        }
        return StyleJudge(self.space, {**self.arrays, **styles})

    def _standardised(self, articles: Floats) -> Floats:
        standard: Floats = articles - self.arrays["article/mean"]
        standard /= self.arrays["article/scale"]
        return standard

    def _dense(self, values: Floats, name: str) -> Floats:
        result: Floats = values @ self.arrays[f"{name}/kernel"]
        result += self.arrays[f"{name}/bias"]
        return result


def check_judge(judge: StyleJudge, width: int) -> None:
    """Checks the arrays of a judge.

    Args:
        width: H, the width of the network.

    Raises:
        BundleError: an array is missing, has another shape or dtype, or is not finite.
    """
    arrays = judge.arrays
    if "centres" not in arrays or arrays["centres"].ndim != 2:
        raise BundleError("the judge of the styles has no centres")
    for name, shape in judge_shapes(judge.space, width, judge.styles).items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            raise BundleError(f"{name} of the styles must be float32 of shape {shape}")
        if not (np.abs(array) <= LARGEST).all():  # false for NaN
            raise BundleError(f"{name} of the styles holds numbers beyond any use")
    if not (arrays["article/scale"] > 0).all():
        raise BundleError("article/scale of the styles must be above 0")


def log_softmax(logits: Floats) -> Floats:
    """Returns the logarithm of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
