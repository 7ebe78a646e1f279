"""``headline train --styles``: a training, and then a fit of styles."""

from headline.bundle import (
    has_styles_checkpoint,
    load_bundle,
    remove_styles_checkpoint,
)
from headline.errors import TrainingComplete
from headline.evaluation.metrics import Rouge
from headline.settings.presets import Run
from headline.settings.styles import StyleConfig, StylesRun
from headline.system.interrupt import Wish
from headline.system.progress import Report
from headline.training.keeper import ROUGE
from headline.training.styles.fit import fit_styles
from headline.training.train import OnEpoch, train_model


def train_with_styles(
    run: Run,
    report: Report,
    wish: Wish | None = None,
    on_epoch: OnEpoch | None = None,
) -> Rouge:
    """Trains, and then finds ``run.styles`` styles; see ``train_model``.

    With ``run.resume`` it continues wherever it stopped, in the training or in the fit
    of styles.

    Returns:
        the scores of the model that was kept.
    """
    config = StyleConfig(
        styles=run.styles, seed=run.train.seed, device=run.train.device
    )
    complete = False
    try:
        rouge = train_model(run, report, wish, on_epoch)
        # What was begun of styles was for older weights.
        remove_styles_checkpoint(run.model_dir)
    except TrainingComplete:
        complete = True
        valid = load_bundle(run.model_dir).provenance["valid"]
        rouge = Rouge(*(valid[name] for name in ROUGE))
    fit = StylesRun(
        data_dir=run.data_dir,
        model_dir=run.model_dir,
        config=config,
        overwrite=not complete,
        resume=complete and has_styles_checkpoint(run.model_dir),
    )
    fit_styles(fit, report, wish)
    return rouge
