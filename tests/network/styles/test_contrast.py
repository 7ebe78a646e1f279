"""The contrast of two styles: what it returns, what it trains, and what stays."""

import keras
import numpy as np
import pytest
from keras import ops

from headline.network.model import STYLE, HeadlineModel, assign_weights, built
from headline.network.objective import make_style_objective, style_contrast
from headline.network.styles.contrast import OTHER_STYLE, ContrastModel
from headline.settings.model import ModelConfig
from tests.models import TINY, array, random_model, random_sources, training_batch

CONFIG = TINY["styles"]
TARGETS = [[5, 6, 7, 8], [9, 4], [6, 6, 5]]


def contrast_model(config: ModelConfig = CONFIG) -> tuple[ContrastModel, HeadlineModel]:
    """A model to train, and a plain one with the same weights."""
    plain = random_model(config)
    model = built(ContrastModel(config))
    names = {w.path.split("/", 1)[1]: array(w) for w in plain.network_weights()}
    assign_weights(model, names)
    model.freeze()
    return model, plain


def batch() -> dict[str, np.ndarray]:
    found = training_batch(CONFIG, random_sources(CONFIG, [9, 12, 7]), TARGETS)
    own = np.array([0, 1, 1], np.int32)
    return found | {STYLE: own, OTHER_STYLE: (1 - own).astype(np.int32)}


def test_both_styles_are_those_of_the_plain_model_without_dropout() -> None:
    model, plain = contrast_model()
    inputs = batch()
    found = model(inputs, training=True)
    own = plain({name: one for name, one in inputs.items() if name != OTHER_STYLE})
    other = plain({**inputs, STYLE: inputs[OTHER_STYLE]})
    np.testing.assert_allclose(
        array(found["log_probs"]), array(own["log_probs"]), atol=1e-5
    )
    margin = array(own["log_probs"]) - array(other["log_probs"])
    np.testing.assert_allclose(array(found["margin"]), margin, atol=1e-4)
    assert np.abs(margin[inputs["labels"] > 0]).max() > 0.01


def test_the_contrast_is_counted_by_headline() -> None:
    margin = np.array([[2.0, -1.0, 99.0], [-3.0, 0.5, 0.5]], np.float32)
    counted = np.array([[1, 1, 0], [1, 1, 1]], np.float32)
    expected = np.log1p(np.exp(-1.0)) + np.log1p(np.exp(2.0))
    tensors = ops.convert_to_tensor(margin), ops.convert_to_tensor(counted)
    assert float(style_contrast(*tensors)) == pytest.approx(expected, rel=1e-6)


def test_without_a_weight_there_is_no_contrast() -> None:
    names = [[one.name for one in make_style_objective(w).losses] for w in (0.0, 0.5)]
    assert names == [["cross_entropy"], ["cross_entropy", "contrast"]]


def test_updates_move_the_tables_alone_and_widen_the_margin() -> None:
    model, plain = contrast_model()
    before = {w.path: array(w).copy() for w in model.network_weights()}
    model.compile(keras.optimizers.Adam(0.02), make_style_objective(1.0))
    inputs = batch()

    def losses() -> float:
        found = model(inputs, training=True)
        counted = model.label_weights(inputs["labels"], inputs["copy_ids"])
        contrast = float(style_contrast(found["margin"], counted))
        return contrast - float(ops.sum(found["log_probs"] * counted))

    before_training = losses()
    data = {name: np.repeat(one, 8, axis=0) for name, one in inputs.items()}
    model.fit(data, batch_size=24, epochs=20, verbose=0, shuffle=False)
    assert losses() < 0.8 * before_training
    for weight in model.network_weights():
        moved = not np.array_equal(array(weight), before[weight.path])
        assert moved == ("/styles/" in weight.path), weight.path
    none = {**inputs, STYLE: np.full(3, -1, np.int32)}
    np.testing.assert_array_equal(
        array(model(none)["log_probs"]), array(plain(none)["log_probs"])
    )
