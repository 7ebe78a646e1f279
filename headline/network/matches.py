"""What a target has written last, looked for in its source.

Shape letters: B batch, R rows, T target steps, S source length.
"""

from keras import KerasTensor, ops

from headline.text.ids import EOS


def match_runs(
    tokens: KerasTensor, copy_ids: KerasTensor, most: int
) -> tuple[KerasTensor, KerasTensor]:
    """Looks for what has been written last in the source, at every step of a target.

    Args:
        tokens: int, shape ``(B, T)``: the target; ids as in ``copy_ids``.
        copy_ids: int, shape ``(B, S)``: the source, PAD at the end.
        most: the longest run that counts.

    Returns:
        int32, ``(B, T, S)``: how many tokens before the step, at most ``most``, are
        those before the position; and bool, ``(B, T, S)``: whether the position's own
        token is in the target before the step.
    """
    holds = _holds(tokens, copy_ids)
    before = _moved(holds, 1)
    run = found = before
    for _ in range(most - 1):
        run = before * _moved(run, 1)
        found = found + run
    return found, _moved(ops.cumsum(holds, axis=1), 0) > 0


def next_match_runs(
    run: KerasTensor,
    written: KerasTensor,
    token: KerasTensor,
    copy_ids: KerasTensor,
    most: int,
) -> tuple[KerasTensor, KerasTensor]:
    """Makes of ``match_runs`` of one step, each ``(R, S)``, that of the next.

    Args:
        token: int, shape ``(R,)``: what is written at the step.
        copy_ids: int, shape ``(R, S)``: the source of each row.
    """
    holds = _holds(token[:, None], copy_ids)[:, 0]
    before, longer = (
        ops.pad(values[:, :-1], ((0, 0), (1, 0))) for values in (holds, run + 1)
    )
    longest = ops.minimum(longer, most)
    return before * longest, ops.logical_or(written, holds > 0)


def match_features(run: KerasTensor, written: KerasTensor, most: int) -> KerasTensor:
    """Returns 0 or 1, float32, for each n up to ``most`` whether the run is as long,
    and last whether the token has been written: shape ``(..., most + 1)``."""
    features = [*(run >= length for length in range(1, most + 1)), written]
    return ops.cast(ops.stack(features, axis=-1), "float32")


def _holds(tokens: KerasTensor, copy_ids: KerasTensor) -> KerasTensor:
    """Returns 1, int32, where a source position holds a token: (B, T), (B, S) to
    (B, T, S)."""
    same = ops.equal(tokens[:, :, None], copy_ids[:, None, :])
    return ops.cast(ops.logical_and(same, copy_ids[:, None, :] > EOS), "int32")


def _moved(values: KerasTensor, positions: int) -> KerasTensor:
    """Moves (B, T, S) values on by a step and by positions; what comes in is 0."""
    kept = values[:, :-1, : ops.shape(values)[2] - positions]
    return ops.pad(kept, ((0, 0), (1, 0), (positions, 0)))
