"""The train step: one update, under TensorFlow and under JAX.

Losses, gradients and the movement of the weights are known only inside a train step, so
the step returns them in the logs of each batch.

Shape letters: B batch, T target length.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import KerasTensor, ops

from headline.network.data_parallel import device_count, on_each_device, summed
from headline.network.objective import CROSS_ENTROPY, Objective, make_objective
from headline.text.ids import PAD

Tensors = dict[str, KerasTensor]
DIVISOR = "divisor"
POINTER_METRICS = ("gate", "copy_entropy")
NORM = "gradient_norm"
RATIO = "update_ratio_"  # prefix of the logs of the groups of layers


class Sums(NamedTuple):
    """Sums over a batch; None if not needed."""

    labels: KerasTensor  # number of labels that count
    losses: Tensors  # over these labels, by the name of the loss
    cross_entropy: KerasTensor
    source_tokens: KerasTensor | None = None
    written: KerasTensor | None = None  # number of labels, unreachable ones included
    pointer: Tensors | None = None  # over these labels, by the name of the metric

    def means(self) -> Tensors:
        """Returns the mean of each loss over the labels."""
        # A batch whose labels are all unreachable has the loss 0, not 0 / 0.
        labels = ops.maximum(self.labels, 1.0)
        return {name: value / labels for name, value in self.losses.items()}


class TrainStep(keras.Model):
    """A model that logs losses, gradients and weight movement of each update.

    A subclass has ``label_weights``, which labels count; ``network_weights``; and
    ``weight_groups``, the group of layers of each of these weights. Its outputs hold
    the ``log_probs`` of the labels and, in training, whatever else the losses of its
    ``objective`` need.

    Logs of a batch:
        ``loss``, ``source_tokens`` and the metrics of the pointer: those of the epoch
        so far.
        the mean of each loss over the labels of the batch, by the name of the loss.
        ``gradient_norm``: the norm of all gradients together, before clipping.
        ``update_ratio_GROUP`` for each group of layers: 0 unless ``looks`` is true.

    Attributes:
        objective: see ``compile``.
        looks: a variable: whether an update measures how far it moves the weights,
            which costs time.
    """

    def __init__(self, name: str, has_pointer: bool, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.objective = make_objective()
        self.looks = self.add_weight(
            (), "zeros", dtype="bool", trainable=False, name="looks"
        )
        self.token_loss = keras.metrics.Mean(name="token_loss")
        self.source_tokens = keras.metrics.Sum(name="source_tokens")
        names = POINTER_METRICS if has_pointer else ()
        self.pointer_means = [keras.metrics.Mean(name=name) for name in names]

    def compile(
        self, optimizer: Any, objective: Objective | None = None, **kwargs: Any
    ) -> None:
        """Makes the model ready for training.

        Args:
            objective: what to minimise; the cross-entropy if left out.
            kwargs: as for any Keras model, except losses and metrics.
        """
        super().compile(optimizer, **kwargs)
        self.objective = objective or make_objective()

    def train_step(self, *given: Any) -> Any:
        """Makes an update, or accumulates the gradients of a part of one.

        Args:
            given: under TensorFlow the data of a batch; under JAX the values of all
                variables, then the data.

        Returns:
            the logs; under JAX also the new values of all variables.
        """
        if keras.backend.backend() == "jax":
            return on_each_device(self._jax_step)(*given)
        return self._tensorflow_step(*given)

    def test_step(self, *given: Any) -> Any:
        """Adds a batch to the metrics; see ``train_step``."""
        step = super().test_step
        if keras.backend.backend() == "jax":
            return on_each_device(step)(*given)
        return step(*given)

    def _tensorflow_step(self, data: Any) -> Tensors:
        import tensorflow as tf

        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        weights, network = self.trainable_weights, self.network_weights()
        looks = tf.convert_to_tensor(self.looks)
        with tf.GradientTape() as tape:
            outputs = self(inputs, training=True)
            counted = self._counted(inputs)
            sums = self._sums(inputs, outputs, counted, training=True)
            update = self.optimizer.iterations
            loss = self._total(sums, update) / _divisor(inputs, sums)
        # TensorFlow keeps the gradient of an embedding in slices, one per token read,
        # and their norm is not the norm of their sum. So the gradient is made dense.
        gradients = [tf.convert_to_tensor(one) for one in tape.gradient(loss, weights)]
        # Unless ``looks`` is true, no copy is held, so the update can work in place.
        before = tf.cond(
            looks,
            lambda: [tf.reshape(weight, (-1,)) for weight in network],
            lambda: [tf.zeros((0,)) for _ in network],
        )
        self.optimizer.apply(gradients, weights)
        logs = sums.means()
        logs |= self._movement(looks, before, network) | {NORM: global_norm(gradients)}
        self._count(sums)
        return self.compute_metrics(inputs, None, outputs) | logs

    def _jax_step(self, state: Any, data: Any) -> tuple[Tensors, Any]:
        trainable, others, optimizer, metrics = state
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        mapping = list(zip(self.optimizer.variables, optimizer, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            update = ops.convert_to_tensor(self.optimizer.iterations)
        gradients, sums, left = self._jax_gradients(trainable, others, inputs, update)
        moved, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        before, after = (self._network_values(one, left) for one in (trainable, moved))
        looks = dict(zip(map(id, self.non_trainable_variables), left, strict=True))
        logs = sums.means()
        logs |= self._movement(looks[id(self.looks)], before, after)
        logs[NORM] = global_norm(gradients)
        mapping = list(zip(self.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            self._count(sums)
            logs = self.compute_metrics(inputs, None, None) | logs
            metrics = [variable.value for variable in self.metrics_variables]
        return logs, (moved, left, optimizer, metrics)

    def _jax_gradients(
        self, trainable: Any, others: Any, inputs: Tensors, update: KerasTensor
    ) -> tuple[Any, Sums, Any]:
        """Returns the gradients and sums of the whole batch, on each device.

        Args:
            trainable, others: values of the variables.
            inputs: the rows of this device.
            update: number of updates done.

        Returns:
            also the new values of ``others``.
        """
        import jax

        counted = self._counted(inputs)
        alone = device_count() == 1

        def minimised(trainable: Any) -> tuple[KerasTensor, Any]:
            outputs, left = self.stateless_call(
                trainable, others, inputs, training=True
            )
            sums = self._sums(inputs, outputs, counted, training=True)
            loss = self._total(sums, update)
            return loss / _divisor(inputs, sums) if alone else loss, (sums, left)

        grad: Any = jax.value_and_grad(minimised, has_aux=True)
        (_, (sums, left)), gradients = grad(trainable)
        if not alone:
            gradients, sums = summed((gradients, sums))
            divisor = _divisor(inputs, sums)
            gradients = [gradient / divisor for gradient in gradients]
        return gradients, sums, left

    def _network_values(self, trainable: Any, others: Any) -> list[KerasTensor]:
        """Returns the weights of the network among the values of all variables."""
        names = self.trainable_variables, self.non_trainable_variables
        mapping = [
            pair
            for variables, values in zip(names, (trainable, others), strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return [weight.value for weight in self.network_weights()]

    def _movement(
        self, looks: KerasTensor, before: Sequence[Any], after: Sequence[Any]
    ) -> Tensors:
        """Returns logs of how far an update moved the weights; 0 if not ``looks``."""
        groups = self.weight_groups()
        names = list(dict.fromkeys(groups))
        ratios = ops.cond(
            looks,
            lambda: ops.stack(update_ratios(groups, before, after)),
            lambda: ops.zeros((len(names),), "float32"),
        )
        return {RATIO + name: ratios[place] for place, name in enumerate(names)}

    # --- the loss ----------------------------------------------------------------

    def _counted(self, inputs: Tensors) -> KerasTensor:
        counted: KerasTensor = self.label_weights(inputs["labels"], inputs["copy_ids"])
        return counted

    def _sums(
        self, inputs: Tensors, outputs: Tensors, counted: KerasTensor, training: bool
    ) -> Sums:
        """Returns all that an update or a validation needs to know of a batch.

        Args:
            counted: which labels count, float, shape ``(B, T)``.
        """
        present = [one for one in self.objective.losses if one.output in outputs]
        sums = Sums(
            labels=ops.sum(counted),
            losses={
                one.name: one.total(outputs[one.output], counted) for one in present
            },
            cross_entropy=CROSS_ENTROPY.total(outputs["log_probs"], counted),
        )
        if training:
            return sums._replace(source_tokens=ops.sum(_is_real(inputs["source_ids"])))
        # In validation only, so that no update waits for these.
        real = _is_real(inputs["labels"])
        names = [metric.name for metric in self.pointer_means]
        pointer = {name: ops.sum(outputs[name] * real) for name in names}
        return sums._replace(written=ops.sum(real), pointer=pointer)

    def _total(self, sums: Sums, update: KerasTensor = 0) -> KerasTensor:
        """Returns the weighted sum of the losses, over all labels.

        Args:
            update: number of updates done; several accumulated batches count as one.
        """
        return sum(
            one.factor(update) * sums.losses[one.name]
            for one in self.objective.losses
            if one.name in sums.losses
        )

    def compute_loss(
        self,
        x: Tensors,
        y: Any = None,
        y_pred: Tensors | None = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> KerasTensor:
        """Returns the loss to minimise, and adds the batch to the epoch's metrics."""
        assert y_pred is not None
        sums = summed(self._sums(x, y_pred, self._counted(x), training))
        self._count(sums)
        return self._total(sums) / _divisor(x, sums)

    # --- metrics of an epoch -----------------------------------------------------

    def _count(self, sums: Sums) -> None:
        """Adds a batch to the metrics of the epoch."""
        mean = sums.cross_entropy / ops.maximum(sums.labels, 1.0)
        self.token_loss.update_state(mean, sums.labels)
        if sums.source_tokens is not None:
            self.source_tokens.update_state(sums.source_tokens)
        if sums.pointer is not None:
            for metric in self.pointer_means:
                metric.total.assign_add(sums.pointer[metric.name])
                metric.count.assign_add(sums.written)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Returns the metrics of the epoch so far, not of the batch.

        ``loss`` is the mean per label. So are ``gate`` and ``copy_entropy``, which are
        measured in validation only. ``source_tokens`` is the number of source tokens
        trained on.
        """
        means = {metric.name: metric.result() for metric in self.pointer_means}
        tokens = self.source_tokens.result()
        return {"loss": self.token_loss.result(), "source_tokens": tokens, **means}


def _divisor(inputs: Tensors, sums: Sums) -> KerasTensor:
    """Returns what the sum of the losses is divided by, 1 or more: the labels.

    With gradient accumulation, ``inputs[DIVISOR]`` (1, 1) holds the mean number of
    labels per batch of the update. Dividing by it weights every label of the update
    equally, although the batches hold different numbers of labels.
    """
    labels = inputs[DIVISOR][0, 0] if DIVISOR in inputs else sums.labels
    return ops.maximum(ops.cast(labels, "float32"), 1.0)


def _is_real(ids: KerasTensor) -> KerasTensor:
    """Returns 1.0 for each token and 0.0 for padding."""
    return ops.cast(ops.not_equal(ids, PAD), "float32")


def global_norm(gradients: Sequence[KerasTensor]) -> KerasTensor:
    """Returns the Euclidean norm of all gradients together."""
    flat = [ops.reshape(gradient, (-1,)) for gradient in gradients]
    return ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in flat))


def update_ratios(
    groups: Sequence[str], before: Sequence[Any], after: Sequence[Any]
) -> list[KerasTensor]:
    """Returns |change| / |weights| of each group of layers, both Euclidean norms.

    Args:
        groups: the group of each weight.
        before, after: the value of each weight, of any shape.

    Returns:
        one float scalar per group, in the order of first occurrence in ``groups``; 0
        for a group whose weights were all 0.
    """
    changes: dict[str, Any] = dict.fromkeys(groups, 0.0)
    sizes: dict[str, Any] = dict.fromkeys(groups, 0.0)
    for group, old, new in zip(groups, before, after, strict=True):
        change = ops.reshape(new, (-1,)) - ops.reshape(old, (-1,))
        changes[group] += ops.sum(ops.square(change))
        sizes[group] += ops.sum(ops.square(old))
    return [
        ops.sqrt(ops.where(size > 0, changes[group] / ops.maximum(size, 1e-30), 0.0))
        for group, size in sizes.items()
    ]
