"""``headline.train``: a DATA_DIR to a MODEL_DIR, from any thread of a program."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headline.api.settings import names_of, shares
from headline.bundle import load_bundle
from headline.errors import ConfigError
from headline.evaluation.metrics import Rouge
from headline.settings.hosts import HostsConfig
from headline.settings.model import ModelConfig
from headline.settings.presets import PRESETS, PresetConfig, PresetName, Run
from headline.settings.styles import StyleConfig
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish
from headline.system.outputs import check_outputs

OnEpoch = Callable[[Mapping[str, Any]], object]

# The command alone starts processes on Ray.
OF_HOSTS = names_of(HostsConfig) - {"on", "workers", "address", "gpus_per_worker"}

logger = logging.getLogger("headline")


def train(
    data_dir: str | Path,
    model_dir: str | Path,
    *,
    preset: PresetName = "pointer",
    init_from: str | Path | None = None,
    on_epoch: OnEpoch | None = None,
    wish: Wish | None = None,
    overwrite: bool = False,
    resume: bool = False,
    styles: int = 0,
    **settings: Any,
) -> Rouge:
    """Trains a model, as ``headline train`` does. Loads Keras.

    The output of the command goes to the logger ``headline``, at level INFO.

    Args:
        data_dir: what ``prepare`` wrote.
        model_dir: folder for the model.
        preset: the settings to start from.
        init_from: a model whose network and weights to start from.
        on_epoch: called after each epoch with its row of history.csv, such as its
            ``loss`` and ``rouge_l``.
        wish: ``Wish.stop()`` in another thread, or in ``on_epoch``, stops the training
            after the current update.
        overwrite: replace the model that is there.
        resume: continue the interrupted training in ``model_dir``.
        styles: number of headline styles to find after the training; 0 for none.
        settings: of ``TrainConfig`` and ``ModelConfig``, such as ``max_minutes=10``;
            and ``hosts="auto"``, to train together with other processes.

    Returns:
        the ROUGE of the model that was kept, on a sample of the valid split.

    Raises:
        TrainingError: no backend is installed, or the training cannot start.
        DataError: ``data_dir`` is missing or damaged.
        ConfigError: a setting is unknown or out of range.
        Interrupted: ``wish`` asked to stop; ``resume=True`` continues.
    """
    base = None if init_from is None else Path(init_from)
    run = _run(Path(data_dir), Path(model_dir), preset, base, settings)
    from headline.network.backend import choose_backend, share_cores

    choose_backend()
    from headline.training.train import train_model

    share_cores()
    run = replace(run, overwrite=overwrite, resume=resume, styles=styles)
    if not styles:
        return train_model(run, logger.info, wish, on_epoch)
    if run.hosts.hosts != "one":
        raise ConfigError("styles are found on one host: give styles=0", "styles")
    from headline.training.styles.after import train_with_styles

    StyleConfig(styles=styles)  # before the training, which takes longer
    return train_with_styles(run, logger.info, wish, on_epoch)


def _run(
    data_dir: Path,
    model_dir: Path,
    preset: PresetName,
    init_from: Path | None,
    settings: Mapping[str, Any],
) -> Run:
    """Returns the run with the given settings."""
    training, network, hosts = shares(
        dict(settings), names_of(TrainConfig), names_of(ModelConfig), OF_HOSTS
    )
    chosen = PRESETS[PresetConfig(preset=preset).preset]
    bases = {"init_from": [init_from]} if init_from else {}
    check_outputs({"model_dir": model_dir}, {"data_dir": [data_dir], **bases})
    model = load_bundle(init_from).model if init_from else chosen.model
    return Run(
        data_dir=data_dir,
        model_dir=model_dir,
        preset=preset,
        model=model.changed(network),
        train=chosen.train.changed(training),
        decode=chosen.decode,
        init_from=init_from,
        hosts=HostsConfig.from_dict(hosts),
    )
