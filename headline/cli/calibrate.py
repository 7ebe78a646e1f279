"""``headline calibrate``."""

import json
from pathlib import Path

import click

from headline.cli.asked import Asked, part
from headline.cli.models import single_blas_thread
from headline.cli.options import (
    argument,
    command,
    json_option,
    model_option,
    settings_options,
)
from headline.cli.paths import FOLDER
from headline.cli.story import tell, timed
from headline.settings.confidence import ConfidenceConfig
from headline.system.interrupt import Interrupt
from headline.system.streams import utf8_stdout


@command("calibrate")
@argument("data_dir", type=FOLDER, required=True)
@model_option(help="Folder of the model.", reads=True, required=True, group="Model")
@json_option
@settings_options(part(ConfidenceConfig))
def calibrate(asked: Asked, data_dir: Path, model_dir: Path, as_json: bool) -> None:
    """Fit the confidence of a trained model on the valid split of DATA_DIR.

    `headline train` does so at its end. This command adds the confidence to models of
    older versions, or fits it anew for another search or another idea of a good
    headline. It writes headlines for the valid split and learns from them how likely a
    headline is good. The weights of the model stay as they are.

    \b
    Example:
        headline calibrate -m models/news prepared/news
        headline calibrate -m models/news prepared/news --good-rouge-l 60
    """
    config = asked.over(ConfidenceConfig())
    if asked.printing:
        return asked.show(config)
    single_blas_thread()
    from headline.cli.places import check_calibration
    from headline.training.confidence import calibrate as fit_confidence
    from headline.training.confidence import told

    check_calibration(model_dir, data_dir)
    interrupt = Interrupt(tell)
    with timed("fitted the confidence"), interrupt.listening():
        scores = fit_confidence(model_dir, data_dir, config.good_rouge_l, interrupt)
    text = json.dumps(scores.to_dict()) if as_json else told(scores)
    click.echo(text, file=utf8_stdout())
