"""Runs a Keras model, loaded or still in training, on its device, CPU or GPU.

The state stays on that device; only the result of a step is copied back, for each row
EOS, the best M candidates and the wanted tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from headline.engines.base import (
    IMPOSSIBLE,
    NO_STYLE,
    TINY,
    Floats,
    SourceBatch,
    Step,
    check_condition,
)
from headline.network.attention import lowest
from headline.network.mixture import shares
from headline.network.model import STYLE, HeadlineModel, assign_weights, build_model
from headline.network.readout import Tensors
from headline.network.shapes import power_of_two, rung
from headline.network.weights import Weights
from headline.settings.model import ModelConfig
from headline.text.ids import BOS, EOS, PAD, SPECIAL_TOKENS, Ids

# Sizes are padded so that there are few shapes to compile: articles to at least
# LEAST_LENGTH tokens, and the wanted tokens to a multiple of WANTED_STEP.
LEAST_LENGTH = 64
WANTED_STEP = 8

LayerStates = list[tuple[Any, Any]]


@dataclass(frozen=True)
class KerasState:
    """The encoded articles, and the article and decoder state of each row.

    There may be more slots than articles. The number of slots is a power of two and
    does not change when articles leave, so that few shapes are compiled. The rows of a
    slot are adjacent on the device.
    """

    encoded: Tensors  # on the device; the first axis of each tensor is the slots
    decoder_state: LayerStates  # (h, c) of each layer, (slots K, H), on the device
    slots: Ids  # (R,): the slot of each row of the search
    rows: Ids  # (R,): the row on the device of each row of the search
    doubts: Floats | None = None  # (R, 2), if the step kept them

    @property
    def room(self) -> int:
        """The number of slots."""
        return int(self.encoded["bias"].shape[0])


class KerasEngine:
    """Runs a Keras model, compiled once for each shape.

    Args:
        model: a built model. It may be in training: its weights are read at each call.
        shortlist: number of most frequent tokens that a pointer model may write besides
            the tokens of the article; 0 for the whole vocab, as in training.
    """

    def __init__(self, model: HeadlineModel, shortlist: int = 0) -> None:
        self.model = model
        short = model.config.pointer and shortlist < model.config.vocab_size
        self.shortlist = shortlist if short else 0
        self._encode = _compiled(model, self._encode_articles)
        self._step = _compiled(model, self._step_rows)

    @classmethod
    def from_weights(
        cls, config: ModelConfig, weights: Weights, shortlist: int = 0
    ) -> "KerasEngine":
        """Creates the model with the weights of a bundle."""
        model = build_model(config)
        assign_weights(model, weights)
        return cls(model, shortlist)

    def encode(self, sources: SourceBatch) -> KerasState:
        check_condition(sources.condition, self.model.config.styles)
        batch, length = sources.source_ids.shape
        shape = power_of_two(batch), rung(length, LEAST_LENGTH)
        encoded = self._encode(
            _padded(sources.source_ids, shape), _padded(sources.copy_ids, shape)
        )
        return self._start(encoded, sources.condition, batch)

    def _start(self, encoded: Tensors, condition: Ids | None, batch: int) -> KerasState:
        """Returns the state before BOS; the first ``batch`` slots hold articles."""
        room, length = map(int, encoded["bias"].shape)
        if condition is not None:
            style = np.full(room, NO_STYLE, np.int32)
            style[:batch] = condition
            encoded = encoded | {STYLE: ops.convert_to_tensor(style)}
        slots = np.arange(batch, dtype=np.int32)
        start = self.model.initial_state(room, length)
        return KerasState(encoded, start, slots, slots)

    def branch(
        self, state: KerasState, articles: Ids, condition: Ids | None = None
    ) -> KerasState:
        check_condition(condition, self.model.config.styles)
        batch = len(articles)
        # Slots without an article repeat the first: none of them may be empty.
        chosen = np.zeros(power_of_two(batch), np.int32)
        chosen[:batch] = state.slots[articles]
        encoded = {
            name: ops.take(tensor, chosen, axis=0)
            for name, tensor in state.encoded.items()
            if name != STYLE
        }
        return self._start(encoded, condition, batch)

    def features(self, state: KerasState) -> Floats:
        # slots, heads, S, H / heads
        values = ops.cast(state.encoded["attention_values"], "float32")
        real = ops.equal(state.encoded["bias"], 0)[:, None, :, None]
        count = ops.sum(ops.cast(real, "float32"), axis=2)
        total = ops.sum(ops.where(real, values, 0), axis=2) / count
        greatest = ops.max(ops.where(real, values, lowest("float32")), axis=2)
        both = [ops.reshape(one, (state.room, -1)) for one in (total, greatest)]
        found: Floats = ops.convert_to_numpy(ops.concatenate(both, axis=1))
        return found[state.slots]

    def step(self, state: KerasState, step: Step) -> tuple[Floats, Ids, KerasState]:
        slots, parents = state.slots[step.parents], state.rows[step.parents]
        wanted = step.wanted
        beam = len(parents) // len(np.unique(slots))
        places = np.arange(len(parents), dtype=np.int32) % beam
        rows = slots * np.int32(beam) + places
        # Rows of empty slots continue row 0; their results are not used.
        all_parents = np.zeros(state.room * beam, np.int32)
        all_tokens = np.full(state.room * beam, PAD, np.int32)
        all_parents[rows], all_tokens[rows] = parents, step.tokens
        all_wanted = _wanted_rows(wanted, rows, len(all_tokens))
        *best, doubts, decoder_state = self._step(
            state.encoded,
            state.decoder_state,
            all_parents,
            all_tokens.reshape(state.room, beam),
            all_wanted.reshape(state.room, beam, -1),
            num_candidates=step.num_candidates,
            with_doubts=step.doubts,
        )
        scores, ids = (ops.convert_to_numpy(array)[rows] for array in best)
        most = scores.shape[1] - all_wanted.shape[1]  # EOS, and M or the whole vocab
        missing = ((0, 0), (0, 1 + step.num_candidates - most))
        log_probs = np.pad(scores[:, :most], missing, constant_values=IMPOSSIBLE)
        ids = np.pad(ids, missing)
        kept = ops.convert_to_numpy(doubts)[rows] if step.doubts else None
        state = KerasState(state.encoded, decoder_state, slots, rows, kept)
        if wanted is None:
            return log_probs, ids, state
        asked = scores[:, most : most + wanted.shape[1]]
        return np.hstack([log_probs, asked]), np.hstack([ids, wanted]), state

    def doubts(self, state: KerasState) -> Floats:
        assert state.doubts is not None  # the step was asked to keep them
        return state.doubts

    # --- compiled: tensors in, tensors out -----------------------------------------

    def _encode_articles(self, source_ids: Any, copy_ids: Any) -> Tensors:
        encoded = self.model.encode(source_ids)
        if self.model.config.pointer:
            vocab_size = self.model.config.vocab_size
            encoded["copy_ids"] = ops.cast(copy_ids, "int32")
            encoded["copy_columns"] = _copy_columns(encoded["copy_ids"], vocab_size)
        if self.shortlist:
            encoded["listed"] = self._listed(source_ids)
        return encoded

    def _listed(self, source_ids: Any) -> Any:
        """Returns which vocab tokens the headlines of each article may hold, (B, V)."""
        frequent = ops.arange(self.model.config.vocab_size) < self.shortlist
        return ops.logical_or(frequent[None, :], self.model.readout.bag(source_ids) > 0)

    def _step_rows(
        self,
        encoded: Tensors,
        decoder_state: LayerStates,
        parents: Any,
        tokens: Any,
        wanted: Any,
        *,
        num_candidates: int,
        with_doubts: bool,
    ) -> tuple[Any, Any, Any, LayerStates]:
        continued = [
            (ops.take(hidden, parents, axis=0), ops.take(cell, parents, axis=0))
            for hidden, cell in decoder_state
        ]
        scores, new_state = self.model.step(encoded, continued, tokens)
        log_probs = self._log_probs(encoded, scores)  # B, K, C
        others = self._possible(encoded, log_probs)
        # top_k breaks ties by the lower column, which in the vocab is the lower id.
        most = min(num_candidates, self.model.config.vocab_size)
        values, columns = ops.top_k(others, most)
        ids = self._ids(encoded, ops.cast(columns, "int32"))
        asked = self._wanted(encoded, log_probs, wanted)
        ends = log_probs[..., EOS : EOS + 1]
        values = ops.concatenate([ends, values, asked], axis=-1)
        ids = ops.concatenate([ops.full_like(ids[..., :1], EOS), ids], axis=-1)
        doubts = _as_rows(self._doubts(scores)) if with_doubts else ends
        return _as_rows(values), _as_rows(ids), doubts, new_state

    def _doubts(self, scores: Tensors) -> Any:
        """Returns the gate and the collision entropy of copying, (B, K, 2)."""
        if not self.model.config.pointer:
            one = ops.ones_like(scores["logits"][..., 0])
            return ops.stack([one, ops.zeros_like(one)], axis=-1)
        copy = ops.softmax(scores["copy_scores"], axis=-1)
        entropy = -ops.log(ops.maximum(ops.sum(ops.square(copy), axis=-1), TINY))
        gate = ops.sigmoid(scores["gate"])
        return ops.stack([gate, ops.maximum(entropy, 0.0)], axis=-1)

    def _possible(self, encoded: Tensors, log_probs: Any) -> Any:
        """Rules out special tokens and tokens that are not listed, (B, K, C)."""
        specials, vocab_size = len(SPECIAL_TOKENS), self.model.config.vocab_size
        special = ops.full_like(log_probs[..., :specials], IMPOSSIBLE)
        generable = log_probs[..., specials:vocab_size]
        if self.shortlist:
            listed = encoded["listed"][:, None, specials:]
            generable = ops.where(listed, generable, IMPOSSIBLE)
        return ops.concatenate([special, generable, log_probs[..., vocab_size:]], -1)

    def _log_probs(self, encoded: Tensors, scores: Tensors) -> Any:
        """Returns log-probabilities, float32 (B, K, C).

        The first V columns are the vocab. With a pointer, S columns follow, one for
        each source position. A token outside the vocab has its probability in the
        column of its first position; the other columns are impossible.
        """
        if not self.model.config.pointer:
            return ops.log_softmax(scores["logits"], axis=-1)
        generated, copy = shares(
            scores["gate"][..., None],
            self._generated(encoded, scores["logits"]),
            ops.softmax(scores["copy_scores"], axis=-1),
        )
        columns = encoded["copy_columns"]
        vocab_size, length = self.model.config.vocab_size, ops.shape(columns)[1]
        copied = _sum_columns(copy, columns, vocab_size + length)
        probs = ops.concatenate([generated, ops.zeros_like(copy)], axis=-1) + copied
        log_probs = ops.log(ops.maximum(probs, TINY))
        first = ops.equal(columns, vocab_size + ops.arange(length, dtype="int32"))
        own = ops.where(first[:, None, :], log_probs[..., vocab_size:], IMPOSSIBLE)
        return ops.concatenate([log_probs[..., :vocab_size], own], axis=-1)

    def _generated(self, encoded: Tensors, logits: Any) -> Any:
        """Returns the softmax over the listed tokens, (B, K, V).

        A token that is not listed can still be wanted. Its probability is computed
        with the same denominator, and capped at 1.
        """
        if not self.shortlist:
            return ops.softmax(logits, axis=-1)
        listed = ops.where(encoded["listed"][:, None], logits, lowest("float32"))
        total = ops.logsumexp(listed, axis=-1, keepdims=True)
        return ops.exp(ops.minimum(logits - total, 0.0))

    def _ids(self, encoded: Tensors, columns: Any) -> Any:
        """Turns (B, K, M) columns into ids; columns past the vocab are positions."""
        if not self.model.config.pointer:
            return columns
        vocab_size, beam = self.model.config.vocab_size, ops.shape(columns)[1]
        own = ops.repeat(encoded["copy_ids"][:, None, :], beam, axis=1)
        positions = ops.maximum(columns - vocab_size, 0)
        own = ops.take_along_axis(own, positions, axis=2)
        return ops.where(columns < vocab_size, columns, own)

    def _wanted(self, encoded: Tensors, log_probs: Any, wanted: Any) -> Any:
        """Returns the log-probabilities of the (B, K, W) wanted ids."""
        vocab_size = self.model.config.vocab_size
        columns, there = wanted, ops.logical_and(wanted >= EOS, wanted < vocab_size)
        if self.model.config.pointer:
            same = ops.equal(wanted[..., None], encoded["copy_ids"][:, None, None, :])
            first = ops.cast(ops.argmax(ops.cast(same, "int32"), axis=-1), "int32")
            columns = ops.where(wanted < vocab_size, wanted, vocab_size + first)
            copied = ops.logical_and(wanted >= vocab_size, ops.any(same, axis=-1))
            there = ops.logical_or(there, copied)
        values = ops.take_along_axis(log_probs, ops.where(there, columns, PAD), axis=2)
        return ops.where(there, values, IMPOSSIBLE)


def _wanted_rows(wanted: Ids | None, rows: Ids, room: int) -> Ids:
    """Moves the wanted tokens of the search's rows to the rows of the device."""
    columns = 1 if wanted is None else wanted.shape[1]
    # Rounded up to the next multiple; without wanted tokens as if there were one.
    columns = -(-columns // WANTED_STEP) * WANTED_STEP
    placed = np.full((room, columns), PAD, np.int32)
    if wanted is not None:
        placed[rows, : wanted.shape[1]] = wanted
    return placed


def _as_rows(values: Any) -> Any:
    """Turns (B, K, M) into (B K, M)."""
    # Once M changes, TensorFlow compiles for any M, and there is no static shape.
    return ops.reshape(values, (-1, ops.shape(values)[-1]))


def _copy_columns(copy_ids: Any, vocab_size: int) -> Any:
    """Returns the column that each source position adds to, int32 (B, S)."""
    same = ops.equal(copy_ids[:, :, None], copy_ids[:, None, :])
    first = ops.cast(ops.argmax(ops.cast(same, "int32"), axis=-1), "int32")
    return ops.where(copy_ids < vocab_size, copy_ids, vocab_size + first)


def _sum_columns(copy: Any, columns: Any, width: int) -> Any:
    """Sums (B, K, S) copy weights into their columns: (B, K, width)."""
    batch, beam = ops.shape(copy)[0], ops.shape(copy)[1]
    rows = ops.reshape(ops.arange(batch * beam, dtype="int32"), (batch, beam, 1))
    segments = ops.reshape(rows * width + columns[:, None, :], (-1,))
    flat = ops.segment_sum(ops.reshape(copy, (-1,)), segments, batch * beam * width)
    return ops.reshape(flat, (batch, beam, width))


def _compiled(model: HeadlineModel, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors so that each call reads the current weights."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        compiled: Callable[..., Any] = tf.function(function, reduce_retracing=True)
        return compiled
    if backend == "jax":
        return _jitted(model, function)
    return function


def _jitted(model: HeadlineModel, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles with JAX, passing the weights as arguments rather than constants."""
    import jax

    def stateless(values: list[Any], args: tuple[Any, ...], **static: Any) -> Any:
        mapping = zip(model.variables, values, strict=True)
        with keras.StatelessScope(state_mapping=list(mapping)):
            return function(*args, **static)

    jitted = jax.jit(stateless, static_argnames=("num_candidates", "with_doubts"))
    return lambda *args, **static: jitted(
        [variable.value for variable in model.variables], args, **static
    )


def _padded(ids: Ids, shape: tuple[int, int]) -> Ids:
    """Pads the articles, and adds articles of one token, up to the shape."""
    padded = np.full(shape, PAD, np.int32)
    # One token each, because a row of padding alone would have no maximum.
    padded[len(ids) :, 0] = BOS
    padded[: len(ids), : ids.shape[1]] = ids
    return padded
