"""The model whose style tables alone are trained, by contrast with another style."""

from typing import Any

from keras import KerasTensor, ops

from headline.network.model import (
    COLUMNS,
    LABEL_COLUMNS,
    LOG_SHARES,
    STYLE,
    HeadlineModel,
    weight_name,
)
from headline.network.objective import label_log_probs
from headline.network.weights import weight_specs

Tensors = dict[str, KerasTensor]
OTHER_STYLE = "other_style"
GROUP = "styles"  # of the weights that are trained


class ContrastModel(HeadlineModel):
    """A ``HeadlineModel`` that reads each headline in its style and in another.

    The article is encoded once. Nothing is dropped: two dropout masks would hide the
    difference between two styles.

    Call arguments, in training: also
        ``OTHER_STYLE`` (B,): another style than ``STYLE``.

    Returns:
        in training a dict of float32 arrays, shape ``(B, T)``
        ``log_probs``: log P(label) in the style.
        ``margin``: how much greater it is than in the other style.
    """

    def freeze(self) -> None:
        """Keeps all weights as they are, except the style tables."""
        specs = weight_specs(self.config)
        for weight in self.network_weights():
            weight.trainable = specs[weight_name(weight)].group == GROUP

    def call(self, inputs: Tensors, training: bool = False) -> Tensors:
        if not training:
            outputs: Tensors = super().call(inputs)
            return outputs
        encoded = {
            name: _twice(value)
            for name, value in self.encode(inputs["source_ids"]).items()
        }
        encoded[STYLE] = ops.concatenate([inputs[STYLE], inputs[OTHER_STYLE]], axis=0)
        names = "decoder_input", "labels", "copy_ids"
        decoder_input, labels, copy_ids = (_twice(inputs[name]) for name in names)
        columns, places = None, None
        if COLUMNS in inputs:
            columns = inputs[COLUMNS][0], inputs[LOG_SHARES][0]
            places = _twice(inputs[LABEL_COLUMNS])
        scores = self.decode(encoded, decoder_input, labels, copy_ids, None, columns)
        log_probs = label_log_probs(
            scores, labels, copy_ids, self.config.vocab_size, places
        )
        own, other = ops.split(log_probs, 2, axis=0)
        return {"log_probs": own, "margin": own - other}


def _twice(rows: Any) -> Any:
    return ops.concatenate([rows, rows], axis=0)
