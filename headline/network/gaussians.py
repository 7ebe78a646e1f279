"""Densities of the normal distributions of both VAEs, of styles and of topics."""

import math

from keras import KerasTensor, ops

LOG_2_PI = math.log(2 * math.pi)
# Bounds of the log variance of an encoder, so that no variance vanishes or explodes.
LOG_VARIANCES = -6.0, 2.0


def log_normal(
    z: KerasTensor, mean: KerasTensor, log_variance: KerasTensor | float = 0.0
) -> KerasTensor:
    """Returns log N(z; mean, exp(log_variance)), summed over the last axis."""
    squares = ops.square(z - mean) * ops.exp(-ops.convert_to_tensor(log_variance))
    return -0.5 * ops.sum(squares + log_variance + LOG_2_PI, axis=-1)
