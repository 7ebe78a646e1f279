"""Wires encoder, decoder and read-out into ``HeadlineModel``, which can be trained.

Shape letters: B batch, Q queries (target steps T in training, hypotheses K per source
in search), S source length, V vocab size, C columns of the softmax, H width.
"""

from typing import Any, TypeVar

import keras
from keras import KerasTensor, ops

from headline.network.decoder import Condition, Decoder, State
from headline.network.embedding import TokenEmbedding
from headline.network.encoder import Encoder
from headline.network.objective import (
    divergence,
    entropy,
    label_log_probs,
    label_weights,
)
from headline.network.readout import Columns, Readout, Tensors
from headline.network.train_step import DIVISOR, TrainStep
from headline.network.weights import Weights, count_weights, weight_specs
from headline.settings.model import ModelConfig
from headline.text.ids import PAD

Model = TypeVar("Model", bound="HeadlineModel")

# The tokens that the softmax of an update covers, see ``shortlist``: both (1, C).
COLUMNS, LOG_SHARES = "columns", "log_shares"
LABEL_COLUMNS = "label_columns"  # the column of each label, (B, T)
SHARED = (COLUMNS, LOG_SHARES, DIVISOR)  # inputs that have no rows
STYLE = "style"  # the headline style of each row, (B,)


@keras.saving.register_keras_serializable(package="headline")
class HeadlineModel(TrainStep):
    """Encoder-decoder with attention and, if configured, a pointer or a source prior.

    Call arguments: a dict of int arrays
        ``source_ids`` (B, S): ids that the encoder embeds, all below V; PAD at the end.
        ``copy_ids`` (B, S): ids that the pointer can write. They equal ``source_ids``,
        except that tokens outside the generable vocab have their own ids, V and above.
        ``decoder_input`` (B, T): BOS + target, all below V.
        ``labels`` (B, T): target + EOS, with ids as in ``copy_ids``.
        ``STYLE`` (B,): the style of each row, below K, -1 for none; may be left out.
        ``COLUMNS``, ``LOG_SHARES`` and ``LABEL_COLUMNS``, unless the softmax is over
        the whole vocab.

    Returns:
        a dict of float32 arrays, shape ``(B, T)``
        ``log_probs``: log P(label), the teacher-forced log-probability.
        ``gate``, with a pointer: the generated share, 0 to 1.
        ``copy_entropy``, with a pointer: entropy of the copy distribution, in nats.
        If the training ``objective`` needs two dropout passes, the dict holds
        ``log_probs``, the mean of both passes, and ``divergence``, how far they differ.

    Attributes:
        strength: strength of all dropout in training, 0 to 1; a variable.
    """

    def __init__(self, config: ModelConfig, name: str = "headline", **kwargs: Any):
        super().__init__(name, config.pointer, **kwargs)
        self.config = config
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(config, policy)
        self.encoder = Encoder(config, self.embedding, policy)
        self.decoder = Decoder(config, self.embedding, policy)
        self.readout = Readout(config, self.embedding.dropout, policy)
        # Keras finds the layers in this list and names their weights after them. Those
        # names are in the files of every model, so they must not contain the parts.
        self.parts = self.embedding, self.encoder, self.decoder, self.readout
        self.part_layers = [layer for part in self.parts for layer in part.layers]

    def build(self, input_shape: Any = None) -> None:
        """Creates every weight; the shapes follow from the config alone."""
        self.strength = self.add_weight((), "ones", trainable=False, name="strength")
        for part in self.parts:
            part.build()

    def count_params(self) -> int:
        """Returns the number of learned parameters, which are those that are saved."""
        return count_weights(self.config)

    def network_weights(self) -> list[keras.Variable]:
        """Returns every weight that is saved, including frozen ones."""
        names = weight_specs(self.config)
        return [weight for weight in self.weights if weight_name(weight) in names]

    def weight_groups(self) -> list[str]:
        """Returns the group of layers of each of the ``network_weights``."""
        specs = weight_specs(self.config)
        return [specs[weight_name(weight)].group for weight in self.network_weights()]

    # --- encode, decode, step ---------------------------------------------------------

    def encode(
        self, source_ids: KerasTensor, strength: KerasTensor | None = None
    ) -> Tensors:
        """Reads the source and returns all that the decoder needs of it.

        Args:
            source_ids: int, shape ``(B, S)``, below V; PAD at the end of a row.
            strength: dropout strength, 0 to 1; None, as in the search, drops nothing.

        Returns:
            what ``Readout.project`` returns, and with a ``conditional_norm``
            ``condition`` (B, H). Whoever wants styles adds ``STYLE`` (B,) to it.
        """
        source_mask = ops.not_equal(source_ids, PAD)
        states = self.encoder.read(source_ids, source_mask, strength)
        encoded = self.readout.project(states, source_ids, source_mask)
        if self.config.conditional_norm:
            encoded["condition"] = self.decoder.pooled(states, encoded["bias"])
        return encoded

    def decode(
        self,
        encoded: Tensors,
        decoder_input: KerasTensor,
        labels: KerasTensor,
        copy_ids: KerasTensor,
        strength: KerasTensor | None = None,
        columns: Columns | None = None,
    ) -> Tensors:
        """Reads a whole target at once (teacher forcing).

        Args:
            encoded: what ``encode`` returned.
            decoder_input: int, shape ``(B, T)``, below V: BOS + target.
            labels: int, shape ``(B, T)``: target + EOS.
            copy_ids: int, shape ``(B, S)``: the source, in which each step is matched.
            strength: as for ``encode``.
            columns: see ``Readout.read``.

        Returns:
            what ``Readout.read`` returns, for T queries.
        """
        outputs = self.decoder.read(decoder_input, _condition(encoded), strength)
        matches = self.decoder.matches(labels, copy_ids)
        return self.readout.read(encoded, outputs, matches, strength, columns)

    def initial_state(self, rows: int, source_length: int) -> State:
        """Returns the decoder state before BOS; see ``Decoder.initial_state``."""
        return self.decoder.initial_state(rows, source_length)

    def step(
        self, encoded: Tensors, decoder_state: State, tokens: KerasTensor
    ) -> tuple[Tensors, State]:
        """Reads one token for each of the K hypotheses of each source.

        The hypotheses of a source are adjacent: row ``b K + k`` of the state belongs to
        source b, and all of its hypotheses share its keys and values.

        Args:
            encoded: what ``encode`` returned for B sources; with a ``match_length``
                also their ``copy_ids`` (B, S).
            decoder_state: as ``initial_state`` returns it, for B K rows.
            tokens: int, shape ``(B, K)``; ids as in ``copy_ids``.

        Returns:
            what ``Readout.read`` returns, for K queries, and the new state.
        """
        outputs, matches, new_state = self.decoder.step(
            decoder_state, tokens, encoded.get("copy_ids"), _condition(encoded)
        )
        return self.readout.read(encoded, outputs, matches), new_state

    # --- training ----------------------------------------------------------------

    def call(self, inputs: Tensors, training: bool = False) -> Tensors:
        twice = training and self.objective.passes > 1
        if twice:
            inputs = {name: _twice(name, rows) for name, rows in inputs.items()}
        strength = ops.convert_to_tensor(self.strength) if training else None
        encoded = self.encode(inputs["source_ids"], strength)
        if STYLE in inputs:
            encoded[STYLE] = inputs[STYLE]
        labels, copy_ids = inputs["labels"], inputs["copy_ids"]
        decoder_input = inputs["decoder_input"]
        columns = None
        if COLUMNS in inputs:
            columns = inputs[COLUMNS][0], inputs[LOG_SHARES][0]
        scores = self.decode(
            encoded, decoder_input, labels, copy_ids, strength, columns
        )
        places = inputs.get(LABEL_COLUMNS)
        log_probs = label_log_probs(
            scores, labels, copy_ids, self.config.vocab_size, places
        )
        if twice:
            mean = sum(ops.split(log_probs, 2, axis=0)) / 2
            return {"log_probs": mean, "divergence": divergence(scores)}
        outputs = {"log_probs": log_probs}
        if self.config.pointer:
            outputs["gate"] = ops.sigmoid(scores["gate"])
            outputs["copy_entropy"] = entropy(scores["copy_scores"])
        return outputs

    def label_weights(self, labels: KerasTensor, copy_ids: KerasTensor) -> KerasTensor:
        """Returns 1.0 for each label that the model can write, else 0.0."""
        copied = copy_ids if self.config.pointer else None
        return label_weights(labels, copied, self.config.vocab_size)


def _condition(encoded: Tensors) -> Condition:
    return Condition(encoded.get("condition"), encoded.get(STYLE))


def _twice(name: str, rows: KerasTensor) -> KerasTensor:
    """Appends a second copy of an input's rows, if the input has rows."""
    return rows if name in SHARED else ops.concatenate([rows, rows], axis=0)


def build_model(config: ModelConfig, dtype: str = "float32") -> HeadlineModel:
    """Creates the model with fresh weights.

    Args:
        dtype: a Keras dtype policy, such as ``mixed_bfloat16``.
    """
    return built(HeadlineModel(config, dtype=keras.DTypePolicy(dtype)))


def built(model: Model) -> Model:
    """Returns the model with fresh weights."""
    model.build()
    model.built = True
    return model


def read_back(model: HeadlineModel) -> None:
    """Makes the variables hold their current values between two batches of training.

    Under JAX only the trainer holds them at that time.
    """
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def weight_arrays(model: HeadlineModel) -> Weights:
    """Returns the weights as float32 arrays by their names, such as
    ``encoder_0/forward/lstm_cell/kernel``."""
    return {
        weight_name(weight): keras.ops.convert_to_numpy(weight.value)
        for weight in model.network_weights()
    }


def assign_weights(model: HeadlineModel, arrays: Weights) -> None:
    """Sets every weight from the ``weight_arrays`` of a model with the same config.

    A weight that only training needs is unchanged if the arrays lack it.
    """
    specs = weight_specs(model.config)
    for weight in model.network_weights():
        name = weight_name(weight)
        if specs[name].generates or name in arrays:
            weight.assign(arrays[name])


def weight_name(weight: keras.Variable) -> str:
    """Returns the name of a weight, or other variable, as in ``weight_arrays``."""
    # The path begins with the owner's name, which carries no information.
    return str(weight.path).split("/", 1)[1]
