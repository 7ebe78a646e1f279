"""Matches of the last tokens of a target in its source.

Shape letters: B batch, R rows, T target steps, S source length.
"""

from keras import KerasTensor, ops

from headline.text.ids import EOS


def match_runs(
    tokens: KerasTensor, copy_ids: KerasTensor, most: int
) -> tuple[KerasTensor, KerasTensor]:
    """Matches the last tokens written with the source, at every step of a target.

    Args:
        tokens: int, shape ``(B, T)``: the target; ids as in ``copy_ids``.
        copy_ids: int, shape ``(B, S)``: the source, PAD at the end.
        most: the longest run that counts.

    Returns:
        int32, ``(B, T, S)``: how many of the last tokens before the step, at most
        ``most``, equal those just before the source position; and bool, ``(B, T, S)``:
        whether the token at the position has been written before the step.
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
    """Advances ``match_runs``, each ``(R, S)``, by one step.

    Args:
        token: int, shape ``(R,)``: the token written at the step.
        copy_ids: int, shape ``(R, S)``: the source of each row.
    """
    holds = _holds(token[:, None], copy_ids)[:, 0]
    before, longer = (
        ops.pad(values[:, :-1], ((0, 0), (1, 0))) for values in (holds, run + 1)
    )
    longest = ops.minimum(longer, most)
    return before * longest, ops.logical_or(written, holds > 0)


def match_features(run: KerasTensor, written: KerasTensor, most: int) -> KerasTensor:
    """Returns match features, 0 or 1, float32, shape ``(..., most + 1)``: for each n
    from 1 to ``most`` whether the run has at least n tokens, and last ``written``."""
    features = [*(run >= length for length in range(1, most + 1)), written]
    return ops.cast(ops.stack(features, axis=-1), "float32")


def _holds(tokens: KerasTensor, copy_ids: KerasTensor) -> KerasTensor:
    """Returns int32 (B, T, S): 1 where the token (B, T) equals that of the source
    position (B, S) and is no special token, else 0."""
    same = ops.equal(tokens[:, :, None], copy_ids[:, None, :])
    return ops.cast(ops.logical_and(same, copy_ids[:, None, :] > EOS), "int32")


def _moved(values: KerasTensor, positions: int) -> KerasTensor:
    """Shifts (B, T, S) values by one step and by ``positions``; fills up with 0."""
    kept = values[:, :-1, : ops.shape(values)[2] - positions]
    return ops.pad(kept, ((0, 0), (1, 0), (positions, 0)))
