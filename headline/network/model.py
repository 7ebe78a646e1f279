"""Wires the layers into ``HeadlineModel``: encode, decode, step, loss.

Shape letters: B batch, Q queries (target steps T in training, hypotheses K of each
source in search), S source length, V vocab size, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.distributions import divergence, entropy
from headline.network.dropout import Dropout, TokenDropout
from headline.network.layers import (
    EMBEDDED,
    BidirectionalLSTM,
    BigramEmbedding,
    ConditionalNorm,
    MultiHeadAttention,
    OutputLayer,
    Pointer,
    SourcePrior,
    attention_bias,
    lowest,
    match_features,
    match_runs,
    next_match_runs,
)
from headline.network.recurrence import Recurrence
from headline.network.weights import Weights, count_weights, weight_specs
from headline.settings.model import LEAKY_SLOPE, NORM_EPSILON, ModelConfig
from headline.text.ids import PAD, UNK

Tensors = dict[str, KerasTensor]
Columns = tuple[KerasTensor, KerasTensor]

DIVISOR = "divisor"
# The tokens that the softmax of an update is over, see ``shortlist``: (1, C) both.
COLUMNS, LOG_SHARES = "columns", "log_shares"
LABEL_COLUMNS = "label_columns"  # which of them each label is, (B, T)
POINTER_METRICS = ("gate", "copy_entropy")


@keras.saving.register_keras_serializable(package="headline")
class HeadlineModel(keras.Model):
    """Encoder-decoder with attention and, by its config, a pointer or a source prior.

    Call arguments: a dict of int arrays
        ``source_ids`` (B, S): what the encoder embeds, all below V; PAD at the end.
        ``copy_ids`` (B, S): what the pointer can write; the same but that tokens
        outside the generable vocab keep ids of their own, V and above.
        ``decoder_input`` (B, T): BOS + target, all below V.
        ``labels`` (B, T): target + EOS, with ids of their own as ``copy_ids``.
        ``COLUMNS``, ``LOG_SHARES`` and ``LABEL_COLUMNS``, if the softmax is not to be
        over the whole vocab.

    Returns:
        a dict of float32 arrays, shape ``(B, T)``
        ``log_probs``: log P(label), the teacher-forced log-probability.
        ``gate``, with a pointer: the share of generating, 0 to 1.
        ``copy_entropy``, with a pointer: entropy of the copy distribution, in nats.
        Of two passes, see ``r_drop``: ``log_probs``, the mean of both, and
        ``divergence``, how far they are apart.

    Attributes:
        r_drop: weight of that divergence in the loss of a training (Liang et al.
            2021); above 0 each batch is read twice, by what the dropout leaves.
        strength: of all dropout in a training, 0 to 1; a variable.
    """

    r_drop = 0.0

    def __init__(self, config: ModelConfig, name: str = "headline", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.config = config
        self.token_loss = keras.metrics.Mean(name="token_loss")
        self.source_tokens = keras.metrics.Sum(name="source_tokens")
        names = POINTER_METRICS if config.pointer else ()
        self.pointer_means = [keras.metrics.Mean(name=name) for name in names]
        self._make_shared(config)
        self._make_encoder(config)
        self._make_decoder(config)

    def _make_shared(self, config: ModelConfig) -> None:
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            config.vocab_size, config.width, name="embedding", dtype=EMBEDDED
        )
        self.dropout = Dropout(config.dropout, name="dropout", dtype=policy)
        self.token_dropout = TokenDropout(config.token_dropout, name="token_dropout")

    def _make_encoder(self, config: ModelConfig) -> None:
        policy, layers = self.dtype_policy, range(config.encoder_layers)
        if config.bigrams:
            self.bigrams = BigramEmbedding(
                config.bigrams,
                config.width,
                config.bigram_dropout,
                name="bigrams",
                dtype=policy,
            )
        self.encoder_norms = [self._plain_norm(f"encoder_norm_{i}") for i in layers]
        self.encoder_layers = [
            BidirectionalLSTM(config.width, name=f"encoder_{i}", dtype=policy)
            for i in layers
        ]

    def _make_decoder(self, config: ModelConfig) -> None:
        policy, width, layers = (
            self.dtype_policy,
            config.width,
            range(config.decoder_layers),
        )
        self.decoder_norms = [
            ConditionalNorm(width, name=f"decoder_norm_{i}", dtype=policy)
            if config.conditional_norm
            else self._plain_norm(f"decoder_norm_{i}")
            for i in (*layers, "last")
        ]
        self.decoder_layers = [
            Recurrence(width, name=f"decoder_{i}", dtype=policy) for i in layers
        ]
        features = config.match_features
        self.attention = MultiHeadAttention(
            width, config.heads, features, name="attention", dtype=policy
        )
        self.hidden = keras.layers.Dense(width, name="hidden", dtype=policy)
        self.output_layer = OutputLayer(config.vocab_size, name="output", dtype=policy)
        if config.pointer:
            self.pointer = Pointer(width, features, name="pointer", dtype=policy)
        if config.source_prior:
            self.prior = SourcePrior(name="prior", dtype=policy)

    def _plain_norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, name=name, dtype=self.dtype_policy
        )

    def build(self, input_shape: Any = None) -> None:
        """Makes every weight; their shapes follow from the config alone."""
        width, vocab_size = self.config.width, self.config.vocab_size
        sequence = (None, None, width)
        self.strength = self.add_weight((), "ones", trainable=False, name="strength")
        self.embedding.build((None, None))
        if self.config.bigrams:
            self.bigrams.build((None, None))
        for layer in (
            *self.encoder_norms,
            *self.encoder_layers,
            *self.decoder_norms,
            *self.decoder_layers,
            self.attention,
            self.output_layer,
        ):
            layer.build(sequence)
        self.hidden.build((None, None, 2 * width))
        if self.config.pointer:
            self.pointer.build((None, None, 2 * width))
        if self.config.source_prior:
            self.prior.build((None, vocab_size))

    def count_params(self) -> int:
        """Returns how many numbers the network has learned: those that are saved."""
        return count_weights(self.config)

    def network_weights(self) -> list[keras.Variable]:
        """Returns every weight that is saved, those that are frozen included."""
        names = weight_specs(self.config)
        return [weight for weight in self.weights if weight_name(weight) in names]

    # --- encoder -----------------------------------------------------------------

    def encode(
        self, source_ids: KerasTensor, strength: KerasTensor | None = None
    ) -> Tensors:
        """Reads the source: all that the decoder needs of it, computed once.

        Args:
            source_ids: int, shape ``(B, S)``, below V; PAD at the end of a row.
            strength: of the dropout, 0 to 1; None, as in the search, drops nothing.

        Returns:
            ``bias`` (B, S), ``attention_keys`` and ``attention_values``
            (B, heads, S, H / heads); by the config ``copy_keys`` (B, S, H),
            ``prior_logits`` (B, V) and ``condition`` (B, H).
        """
        source_mask = ops.not_equal(source_ids, PAD)
        seen = self.token_dropout(source_ids, strength)
        states = self._embedded(seen)
        if self.config.bigrams:
            states = states + self.bigrams(seen, strength)
        states = self.dropout(states, strength)
        for norm, layer in zip(self.encoder_norms, self.encoder_layers, strict=True):
            states = layer(norm(states), source_mask=source_mask)
            states = self.dropout(states, strength)
        keys, values = self.attention.project(states)
        encoded = {
            "bias": attention_bias(
                source_mask, keras.backend.standardize_dtype(states.dtype)
            ),
            "attention_keys": keys,
            "attention_values": values,
        }
        if self.config.pointer:
            encoded["copy_keys"] = self.pointer.project(states)
        if self.config.source_prior:
            encoded["prior_logits"] = self.prior(self.bag(source_ids))
        if self.config.conditional_norm:
            padding = encoded["bias"][:, :, None]
            encoded["condition"] = ops.max(states + padding, axis=1)
        return encoded

    def _embedded(self, ids: KerasTensor) -> KerasTensor:
        return ops.cast(self.embedding(ids), self.compute_dtype)

    def bag(self, source_ids: KerasTensor) -> KerasTensor:
        """Returns which characters occur in the source: (B, S) ids to (B, V) of 0, 1.

        Counts of each (row, id) pair are summed in one flat array of B V segments.
        """
        batch, vocab_size = ops.shape(source_ids)[0], self.config.vocab_size
        rows = ops.arange(batch, dtype="int32")[:, None] * vocab_size
        real = ops.cast(ops.not_equal(source_ids, PAD), "float32")
        segments = ops.reshape(rows + ops.cast(source_ids, "int32"), (-1,))
        counts = ops.segment_sum(ops.reshape(real, (-1,)), segments, batch * vocab_size)
        bag = ops.cast(ops.reshape(counts, (-1, vocab_size)) > 0, "float32")
        return ops.cast(bag, self.compute_dtype)

    # --- decoder -----------------------------------------------------------------

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
            labels: int, shape ``(B, T)``: target + EOS, and
            copy_ids: int, shape ``(B, S)``: what each step may look for in the source.
            strength: as for ``encode``.
            columns: see ``read_out``.

        Returns:
            what ``read_out`` returns, for T queries.
        """
        seen = self.token_dropout(decoder_input, strength)
        outputs = self.dropout(self._embedded(seen), strength)
        for index, layer in enumerate(self.decoder_layers):
            outputs = layer(self._norm(index, outputs, encoded))
            outputs = self.dropout(outputs, strength)
        most = self.config.match_length
        matches = (
            match_features(*match_runs(labels, copy_ids, most), most) if most else None
        )
        outputs = self._norm(-1, outputs, encoded)
        return self.read_out(encoded, outputs, matches, strength, columns)

    def initial_state(
        self, rows: int, source_length: int
    ) -> list[tuple[KerasTensor, KerasTensor]]:
        """Returns the decoder state before BOS.

        It holds (h, c) of each layer, each ``(rows, H)``; and with a ``match_length``
        what ``match_runs`` returns, ``(rows, S)``, last.
        """
        dtype = self.decoder_layers[0].compute_dtype
        zeros = ops.zeros((rows, self.config.width), dtype=dtype)
        state = [(zeros, zeros) for _ in self.decoder_layers]
        if self.config.match_length:
            shape = rows, source_length
            state.append((ops.zeros(shape, "int32"), ops.zeros(shape, "bool")))
        return state

    def step(
        self,
        encoded: Tensors,
        decoder_state: list[tuple[KerasTensor, KerasTensor]],
        tokens: KerasTensor,
    ) -> tuple[Tensors, list[tuple[KerasTensor, KerasTensor]]]:
        """Reads one token of each of the K hypotheses of each source.

        The hypotheses of a source lie beside each other: row ``b K + k`` of the state
        belongs to source b, whose keys and values they share.

        Args:
            encoded: what ``encode`` returned for B sources, and with a
                ``match_length`` also their ``copy_ids`` (B, S).
            decoder_state: as ``initial_state``, of B K rows.
            tokens: int, shape ``(B, K)``; ids as in ``copy_ids``.

        Returns:
            what ``read_out`` returns, for K queries, and the new state.
        """
        width, queries = self.config.width, ops.shape(tokens)[1]
        known = ops.where(tokens < self.config.vocab_size, tokens, UNK)
        outputs, new_state = self._embedded(known), []
        for index, layer in enumerate(self.decoder_layers):
            rows = ops.reshape(self._norm(index, outputs, encoded), (-1, width))
            output, state = layer.cell(rows, list(decoder_state[index]))
            new_state.append(tuple(state))
            outputs = ops.reshape(output, (-1, queries, width))
        matches = None
        if self.config.match_length:
            run, written = self._next_runs(encoded, decoder_state[-1], tokens)
            new_state.append((run, written))
            features = match_features(run, written, self.config.match_length)
            shape = -1, queries, *ops.shape(features)[1:]
            matches = ops.reshape(features, shape)
        outputs = self._norm(-1, outputs, encoded)
        return self.read_out(encoded, outputs, matches), new_state

    def _next_runs(
        self,
        encoded: Tensors,
        runs: tuple[KerasTensor, KerasTensor],
        tokens: KerasTensor,
    ) -> tuple[KerasTensor, KerasTensor]:
        rows = ops.repeat(encoded["copy_ids"], ops.shape(tokens)[1], axis=0)
        token = ops.reshape(tokens, (-1,))
        return next_match_runs(*runs, token, rows, self.config.match_length)

    def _norm(self, index: int, values: KerasTensor, encoded: Tensors) -> KerasTensor:
        norm = self.decoder_norms[index]
        if self.config.conditional_norm:
            return norm(values, condition=encoded["condition"])
        return norm(values)

    def read_out(
        self,
        encoded: Tensors,
        outputs: KerasTensor,
        matches: KerasTensor | None,
        strength: KerasTensor | None = None,
        columns: Columns | None = None,
    ) -> Tensors:
        """Turns decoder outputs, shape ``(B, Q, H)``, into scores of the next token.

        Args:
            matches: ``match_features``, shape ``(B, Q, S, match_length + 1)``, if any.
            strength: as for ``encode``.
            columns: of the vocab, C of V, to be worked out, and what to take from
                their logits, both of shape ``(C,)``; None for all.

        Returns:
            float32 ``logits`` (B, Q, V), or (B, Q, C); with a pointer also
            ``copy_scores`` (B, Q, S) and ``gate`` (B, Q), before softmax and sigmoid.
        """
        context = self.attention(
            outputs,
            encoded["attention_keys"],
            encoded["attention_values"],
            encoded["bias"],
            matches,
        )
        features = ops.concatenate([outputs, context], axis=-1)
        hidden = ops.leaky_relu(self.hidden(features), negative_slope=LEAKY_SLOPE)
        hidden = self.dropout(hidden, strength)
        ids, log_shares = columns or (None, None)
        logits = self.output_layer(hidden, ids)
        if self.config.source_prior:
            prior = encoded["prior_logits"]
            prior = prior if ids is None else ops.take(prior, ids, axis=1)
            logits = (logits + prior[:, None, :]) / 2
        if log_shares is not None:
            logits = ops.cast(logits, "float32") - log_shares
        scores = {"logits": logits}
        if self.config.pointer:
            scores["copy_scores"], scores["gate"] = self.pointer(
                features, encoded["copy_keys"], encoded["bias"], matches
            )
        # Softmax and its logarithm need float32 under mixed precision.
        return {name: ops.cast(value, "float32") for name, value in scores.items()}

    # --- training ----------------------------------------------------------------

    def call(self, inputs: Tensors, training: bool = False) -> Tensors:
        twice = training and self.r_drop > 0
        if twice:
            inputs = {name: _twice(name, rows) for name, rows in inputs.items()}
        strength = ops.convert_to_tensor(self.strength) if training else None
        encoded = self.encode(inputs["source_ids"], strength)
        labels, copy_ids = inputs["labels"], inputs["copy_ids"]
        decoder_input = inputs["decoder_input"]
        columns = None
        if COLUMNS in inputs:
            columns = inputs[COLUMNS][0], inputs[LOG_SHARES][0]
        scores = self.decode(
            encoded, decoder_input, labels, copy_ids, strength, columns
        )
        places = inputs.get(LABEL_COLUMNS)
        log_probs = self.label_log_probs(scores, labels, copy_ids, places)
        if twice:
            mean = sum(ops.split(log_probs, 2, axis=0)) / 2
            return {"log_probs": mean, "divergence": divergence(scores)}
        outputs = {"log_probs": log_probs}
        if self.config.pointer:
            outputs["gate"] = ops.sigmoid(scores["gate"])
            outputs["copy_entropy"] = entropy(scores["copy_scores"])
        return outputs

    def label_log_probs(
        self,
        scores: Tensors,
        labels: KerasTensor,
        copy_ids: KerasTensor,
        places: KerasTensor | None = None,
    ) -> KerasTensor:
        """Returns log P(label), float32 of shape ``(B, T)``.

        Args:
            places: the column of each label, shape ``(B, T)``, if those of the logits
                are not the vocab.

        Only P(label) is needed, so nothing is scattered over the vocab: the copied
        part is summed over the source positions that hold the label.
        """
        vocab_size = self.config.vocab_size
        generable = labels < vocab_size
        if places is None:
            places = ops.where(generable, labels, UNK)
        generated = -ops.sparse_categorical_crossentropy(
            places, scores["logits"], from_logits=True
        )
        never = lowest("float32")
        generated = ops.where(generable, generated, never)
        if not self.config.pointer:
            return generated
        holds = ops.equal(labels[:, :, None], copy_ids[:, None, :])
        copy_scores = scores["copy_scores"]
        copied = ops.logsumexp(ops.where(holds, copy_scores, never), axis=-1)
        copied = copied - ops.logsumexp(copy_scores, axis=-1)
        gate = scores["gate"]
        return ops.logaddexp(
            ops.log_sigmoid(gate) + generated, ops.log_sigmoid(-gate) + copied
        )

    def label_weights(self, labels: KerasTensor, copy_ids: KerasTensor) -> KerasTensor:
        """Returns 1.0 for each label that the model can write at all, else 0.0.

        Padding counts 0, and so does a label that is neither generable nor in the
        source: no weights could make it likely.
        """
        reachable = labels < self.config.vocab_size
        if self.config.pointer:
            holds = ops.equal(labels[:, :, None], copy_ids[:, None, :])
            reachable = ops.logical_or(reachable, ops.any(holds, axis=-1))
        return ops.cast(ops.logical_and(reachable, labels != PAD), "float32")

    def compute_loss(
        self,
        x: Tensors,
        y: Any = None,
        y_pred: Tensors | None = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> KerasTensor:
        """Returns minus the mean of log P(label) over the labels that count, and of
        two passes the mean of their divergence.

        Of one of several batches of an update, which hold unlike numbers of labels,
        ``x`` has the mean number in ``DIVISOR`` (1, 1): so the mean of their losses is
        that of all their labels.
        """
        assert y_pred is not None
        weights = self.label_weights(x["labels"], x["copy_ids"])
        total, loss = ops.sum(weights), -ops.sum(y_pred["log_probs"] * weights)
        # A batch of unreachable labels alone has the loss 0, not 0 / 0.
        mean = loss / ops.maximum(total, 1.0)
        self.token_loss.update_state(mean, sample_weight=total)
        self._update_means(x, y_pred, training)
        if "divergence" in y_pred:
            loss = loss + self.r_drop * ops.sum(y_pred["divergence"] * weights)
        labels = x[DIVISOR][0, 0] if DIVISOR in x else total
        return loss / ops.maximum(ops.cast(labels, loss.dtype), 1.0)

    def _update_means(self, x: Tensors, outputs: Tensors, training: bool) -> None:
        """Counts what the epoch tells beside its loss."""
        if training:
            self.source_tokens.update_state(_is_real(x["source_ids"]))
            return
        # Of the validation alone: no update need wait for these. Flat: of rows, Keras
        # would first take the means, padding included.
        written = ops.reshape(_is_real(x["labels"]), (-1,))
        for metric in self.pointer_means:
            values = ops.reshape(outputs[metric.name], (-1,))
            metric.update_state(values, sample_weight=written)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Returns figures of the epoch so far, not of the batch.

        ``loss`` is the mean per label, and so are ``gate`` and ``copy_entropy``, in
        validation only; ``source_tokens`` is how many were trained on.
        """
        means = {metric.name: metric.result() for metric in self.pointer_means}
        tokens = self.source_tokens.result()
        return {"loss": self.token_loss.result(), "source_tokens": tokens, **means}


def _twice(name: str, rows: KerasTensor) -> KerasTensor:
    """Puts a second copy of an input's rows behind them, if it has rows."""
    shared = name in (COLUMNS, LOG_SHARES, DIVISOR)
    return rows if shared else ops.concatenate([rows, rows], axis=0)


def _is_real(ids: KerasTensor) -> KerasTensor:
    """Returns 1.0 for each token and 0.0 for padding."""
    return ops.cast(ops.not_equal(ids, PAD), "float32")


def build_model(config: ModelConfig, dtype: str = "float32") -> HeadlineModel:
    """Makes the model with fresh weights.

    Args:
        dtype: a Keras dtype policy, such as ``mixed_bfloat16``.
    """
    model = HeadlineModel(config, dtype=keras.DTypePolicy(dtype))
    model.build()
    model.built = True
    return model


def read_back(model: HeadlineModel) -> None:
    """Gives the variables their values between two batches of a training, too.

    Under JAX the trainer holds them then.
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
    """Sets every weight from ``weight_arrays`` of a model with the same config.

    A weight that only a training needs stays as it is where the arrays lack it.
    """
    specs = weight_specs(model.config)
    for weight in model.network_weights():
        name = weight_name(weight)
        if specs[name].generates or name in arrays:
            weight.assign(arrays[name])


def weight_name(weight: keras.Variable) -> str:
    """Returns the name of a weight in ``weight_arrays``, or of a variable alike."""
    # The path begins with the owner's name, which says nothing.
    return str(weight.path).split("/", 1)[1]
