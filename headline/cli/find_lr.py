"""``headline find-lr``."""

from pathlib import Path

from headline.cli.asked import Asked, part
from headline.cli.options import argument, command, model_option, settings_options
from headline.cli.paths import FOLDER
from headline.cli.train import init_option, run_with, settings_of, start
from headline.settings.model import ModelConfig
from headline.settings.presets import PresetConfig
from headline.settings.train import TrainConfig

# Settings that the range test does not use: it sets the rate itself and keeps no model.
UNUSED = (
    "epochs",
    "pretrain_share",
    "learning_rate",
    "warmup_updates",
    "schedule",
    "dropout_epochs",
    "patience",
    "checkpoint_minutes",
    "valid_articles",
    "samples",
)


@command("find-lr")
@argument("data_dir", type=FOLDER, required=True)
@model_option(
    help="Folder for the page find_lr.html; no model is written.",
    reads=False,
    required=True,
    group="Output",
)
@init_option
@settings_options(
    part(PresetConfig),
    part(
        TrainConfig,
        but=UNUSED,
        about={
            "max_minutes": {
                "help": "The --max-minutes of your later `headline train`. They do not"
                " limit the range test; only the default of --r-drop depends on them."
            }
        },
    ),
    part(ModelConfig),
)
def find_lr(
    asked: Asked, data_dir: Path, model_dir: Path, init_from: Path | None
) -> None:
    """Propose a learning rate for a training on the prepared DATA_DIR.

    In a short range test the learning rate rises until the loss explodes. A tenth of
    the rate with the lowest loss is printed; the curve is drawn in
    MODEL_DIR/find_lr.html. Give the options that the training will have.

    \b
    Example:
        headline find-lr prepared/news -m models/news
        headline find-lr prepared/news -m models/news --batch-size 64
    """
    settings = settings_of(asked, init_from)
    if asked.printing:
        return asked.show(*settings)
    start(run_with(settings, data_dir, model_dir, init_from), find_lr=True)
