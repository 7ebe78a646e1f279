"""The terms of a pointer's mixture, as they are and as logarithms."""

import numpy as np

from headline.network.mixture import log_shares, shares
from tests.models import array

GATES = np.array([-3.0, 0.0, 20.0], np.float32)
GENERATED = np.array([0.2, 0.5, 0.1], np.float32)
COPIED = np.array([0.3, 0.0, 0.9], np.float32)


def test_the_gate_is_the_share_of_generating_and_copying_has_the_rest() -> None:
    generated, copied = map(array, shares(GATES, GENERATED, COPIED))
    gates = 1 / (1 + np.exp(-GATES.astype(np.float64)))
    np.testing.assert_allclose(generated, gates * GENERATED, rtol=1e-6)
    # Of a gate that is wide open float32 has no rest; the share of copying has.
    np.testing.assert_allclose(copied, (1 - gates) * COPIED, rtol=1e-5)
    assert copied[2] > 0


def test_the_logarithms_are_those_of_the_shares_and_finite_far_out() -> None:
    copied = np.maximum(COPIED, np.float32(1e-6))
    plain = map(array, shares(GATES, GENERATED, copied))
    logs = map(array, log_shares(GATES, np.log(GENERATED), np.log(copied)))
    for share, log in zip(plain, logs, strict=True):
        np.testing.assert_allclose(log, np.log(share), rtol=1e-5)

    far = np.array([-1e3, 1e3], np.float32)
    limits = log_shares(far, np.zeros_like(far), np.zeros_like(far))
    np.testing.assert_allclose(np.stack([*map(array, limits)]), [[-1e3, 0], [0, -1e3]])
