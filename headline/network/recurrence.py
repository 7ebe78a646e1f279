"""LSTMs over whole sequences, in ``keras.ops`` only, with a gradient written by hand.

Shape letters: B batch, T steps, H input width, h units.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.backend import device_in_use

Sums = tuple[KerasTensor, ...]


@keras.saving.register_keras_serializable(package="headline")
class Recurrence(keras.layers.LSTM):
    """The LSTM of Keras, faster to train on a CPU.

    By default TensorFlow differentiates the loop step by step, and adds up the
    gradients of the weights at each step. Here one matrix product over all steps
    multiplies the inputs, and one gives the gradients of the weights (Appleyard et al.
    2016, https://arxiv.org/abs/1604.01946, sec. 3). On a GPU, Keras uses a fused kernel
    for the whole LSTM instead.

    Args:
        backwards: read each row from its end.

    Call arguments:
        sequences: float, shape ``(B, T, H)``.
        source_mask: bool, shape ``(B, T)``, or None; true on real positions. Padding,
            at the end of a row, does not change their outputs.

    Returns:
        float, shape ``(B, T, h)``: the hidden values after each step.
    """

    def __init__(self, units: int, backwards: bool = False, **kwargs: Any) -> None:
        self.on_cpu = device_in_use() == "CPU"
        if not self.on_cpu:
            kwargs["dtype"] = "float32"  # the GPU kernels do not support bfloat16
        super().__init__(units, **{**kwargs, "return_sequences": True})
        self.backwards = backwards

    def build(self, sequences_shape: tuple[int | None, ...]) -> None:
        super().build(sequences_shape)

    def call(
        self, sequences: KerasTensor, source_mask: KerasTensor | None = None
    ) -> KerasTensor:
        if self.on_cpu:
            return self._read(sequences, source_mask)
        if not self.backwards:
            return super().call(sequences)
        if source_mask is None:
            return ops.flip(super().call(ops.flip(sequences, axis=1)), axis=1)
        read = super().call(reverse_sequences(sequences, source_mask))
        return reverse_sequences(read, source_mask)

    def _read(self, sequences: KerasTensor, source_mask: KerasTensor | None) -> Any:
        cell = self.cell
        by_step = ops.transpose(sequences, (1, 0, 2))
        sums = ops.matmul(by_step, _ordered(cell.kernel)) + _ordered(cell.bias)
        if source_mask is not None and self.backwards:
            # Padding is read first here: with zero sums, a zero state stays zero.
            read = ops.transpose(source_mask)[:, :, None]
            sums = ops.where(read, sums, ops.zeros_like(sums))
        hidden = read_steps(sums, _ordered(cell.recurrent_kernel), self.backwards)
        return ops.transpose(hidden, (1, 0, 2))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "backwards": self.backwards}


def reverse_sequences(values: KerasTensor, source_mask: KerasTensor) -> KerasTensor:
    """Reverses the real positions of each row and leaves its padding at the end.

    With two real positions out of four, ``[a b - -]`` becomes ``[b a - -]``.

    Args:
        values: shape ``(B, T, H)``.
        source_mask: bool, shape ``(B, T)``; true on real positions, which come first.
    """
    batch, length, width = ops.shape(values)
    positions = ops.arange(length, dtype="int32")[None, :]
    lengths = ops.sum(ops.cast(source_mask, "int32"), axis=1, keepdims=True)
    turned = ops.where(positions < lengths, lengths - 1 - positions, positions)
    # Gather whole rows of one flat array: the gradient of take_along_axis works number
    # by number and took 20% of the time of an update.
    turned = turned + ops.arange(batch, dtype="int32")[:, None] * length
    rows = ops.take(
        ops.reshape(values, (-1, width)), ops.reshape(turned, (-1,)), axis=0
    )
    return ops.reshape(rows, (batch, length, width))


def _ordered(weight: KerasTensor) -> KerasTensor:
    """Reorders the gates from the i, f, c, o of Keras to i, f, o, c."""
    input_gate, forget, new, output = ops.split(weight, 4, axis=-1)
    return ops.concatenate([input_gate, forget, output, new], axis=-1)


def read_steps(
    sums: KerasTensor, recurrent: KerasTensor, backwards: bool
) -> KerasTensor:
    """Runs an LSTM from a zero state.

    Args:
        sums: shape ``(T, B, 4 h)``: for each step, what its input and the bias add to
            the gates, in the order i, f, o, c.
        recurrent: shape ``(h, 4 h)``, columns in the same order.
        backwards: start with the last step.

    Returns:
        the hidden values, shape ``(T, B, h)``.
    """

    def run(sums: KerasTensor, recurrent: KerasTensor) -> Any:
        steps = _forward(sums, recurrent, backwards)

        def gradients(upstream: KerasTensor) -> Sums:
            return _gradients(upstream, steps, recurrent, backwards)

        return steps[0], gradients

    return ops.custom_gradient(run)(sums, recurrent)


def _forward(sums: KerasTensor, recurrent: KerasTensor, backwards: bool) -> Sums:
    """Returns, for each step, the hidden and cell values, the gates i, f, o (3 h) and
    the candidate values of the cell."""
    length, batch, _ = ops.shape(sums)
    units = recurrent.shape[0]
    zeros = _zeros(batch, units, sums.dtype)

    def step(before: Sums, number: KerasTensor) -> tuple[Sums, Sums]:
        hidden, cell = before[:2]
        gates = ops.matmul(hidden, recurrent) + sums[number]
        opened, new = ops.split(gates, [3 * units], axis=-1)
        opened, new = ops.sigmoid(opened), ops.tanh(new)
        input_gate, forget, output = ops.split(opened, 3, axis=-1)
        cell = forget * cell + input_gate * new
        after = output * ops.tanh(cell), cell, opened, new
        return after, after

    start = zeros(1), zeros(1), zeros(3), zeros(1)
    # Scan over step numbers: over several sequences, ``scan`` under TensorFlow must
    # know the length.
    _, steps = ops.scan(step, start, ops.arange(length), reverse=backwards)
    return tuple(steps)


def _gradients(
    upstream: KerasTensor, steps: Sums, recurrent: KerasTensor, backwards: bool
) -> Sums:
    """Returns the gradients of ``sums`` and ``recurrent``.

    Args:
        upstream: gradients of the hidden values, shape ``(T, B, h)``.
    """
    hidden, cells, opened, new = steps
    length, batch, _ = ops.shape(hidden)
    units = recurrent.shape[0]
    zeros = _zeros(batch, units, hidden.dtype)
    squashed, cells_before = ops.tanh(cells), _moved(cells, backwards)
    parts = ops.split(recurrent, [3 * units], axis=-1)
    to_gates, to_new = map(ops.transpose, parts)

    def step(after: Sums, number: KerasTensor) -> tuple[Sums, Sums]:
        of_opened, of_new, of_cell = after
        of_hidden = upstream[number]
        of_hidden += ops.matmul(of_opened, to_gates) + ops.matmul(of_new, to_new)
        gates, fresh, written = opened[number], new[number], squashed[number]
        input_gate, forget, output = ops.split(gates, 3, axis=-1)
        of_cell += of_hidden * output * (1 - written * written)
        parts = of_cell * fresh, of_cell * cells_before[number], of_hidden * written
        before = (
            ops.concatenate(parts, axis=-1) * gates * (1 - gates),
            of_cell * input_gate * (1 - fresh * fresh),
            of_cell * forget,
        )
        return before, before

    start = zeros(3), zeros(1), zeros(1)
    numbers = ops.arange(length)
    _, found = ops.scan(step, start, numbers, reverse=not backwards)
    of_sums = ops.concatenate(found[:2], axis=-1)
    hidden_before = _flat(_moved(hidden, backwards))
    of_recurrent = ops.matmul(ops.transpose(hidden_before), _flat(of_sums))
    return of_sums, of_recurrent


def _zeros(batch: Any, units: int, dtype: Any) -> Any:
    return lambda times: ops.zeros((batch, times * units), dtype)


def _moved(steps: KerasTensor, backwards: bool) -> KerasTensor:
    """Shifts (T, B, h) values by one step in reading order; the first gets zeros."""
    edge = ops.zeros_like(steps[:1])
    both = [steps[1:], edge] if backwards else [edge, steps[:-1]]
    return ops.concatenate(both, axis=0)


def _flat(steps: KerasTensor) -> KerasTensor:
    return ops.reshape(steps, (-1, steps.shape[-1]))
