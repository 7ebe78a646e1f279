"""``headline train``."""

import os
from dataclasses import replace
from pathlib import Path

import click

from headline.cli.asked import Asked, part
from headline.cli.effects import hosts_rules, refuse_idle, training_rules
from headline.cli.older import FIND_LR, tell_newer
from headline.cli.options import (
    argument,
    command,
    model_option,
    option,
    overwrite_option,
    settings_options,
)
from headline.cli.paths import FOLDER
from headline.cli.story import tell, timed
from headline.settings.hosts import HostsConfig
from headline.settings.model import ModelConfig
from headline.settings.presets import PRESETS, PresetConfig, Run
from headline.settings.styles import StyleConfig
from headline.settings.train import TrainConfig
from headline.system.interrupt import Interrupt

Settings = tuple[PresetConfig, TrainConfig, ModelConfig]

init_option = option(
    "--init-from",
    type=FOLDER,
    metavar="MODEL_DIR",
    group="Starting point",
    help="Start from the weights of this model and its network settings, not those of"
    " the preset. New tokens of DATA_DIR are added to its vocabulary.",
)


@command("train")
@argument("data_dir", type=FOLDER, required=True)
@model_option(
    "-o",
    "--output",
    help="Folder for the model.",
    reads=False,
    required=True,
    group="Output",
)
@overwrite_option("Replace the model in MODEL_DIR.")
@option(
    "--resume",
    is_flag=True,
    group="Output",
    help="Continue the interrupted training in MODEL_DIR where it stopped.",
)
@option(
    "--tensorboard",
    type=FOLDER,
    metavar="DIR",
    group="Output",
    advanced=True,
    help="Write losses, scores and samples for TensorBoard into this folder.",
)
@init_option
@option(
    "--styles",
    "num_styles",
    type=int,
    default=0,
    metavar="NUMBER",
    group="Output",
    help="Then find this many headline styles, as `headline styles` does (0: none).",
)
@settings_options(
    part(PresetConfig), part(TrainConfig), part(ModelConfig), part(HostsConfig)
)
@option(
    "--find-lr", is_flag=True, advanced=True, help="Older form of `headline find-lr`."
)
def train(
    asked: Asked,
    data_dir: Path,
    model_dir: Path,
    init_from: Path | None,
    overwrite: bool,
    resume: bool,
    tensorboard: Path | None,
    num_styles: int,
    find_lr: bool,
) -> None:
    """Train a model on the prepared DATA_DIR.

    After each epoch it writes headlines for a sample of the valid split, with the
    search that `headline generate` uses. It keeps the weights of the last epoch whose
    ROUGE-L is the best, or so close to it that chance explains the difference.
    Pseudo-pairs, which `headline prepare --unpaired` makes, are trained on first.
    The Keras backend is TensorFlow, JAX if only that is installed, or what
    KERAS_BACKEND says (tensorflow, jax).
    Defaults shown below are those of the preset pointer.

    \b
    Example:
        headline train prepared/news -m models/news --max-minutes 10
        headline train prepared/own -m models/own --init-from models/news
    """
    if find_lr and (resume or tensorboard is not None or num_styles):
        other = "--tensorboard" if tensorboard is not None else "--styles"
        other = "--resume" if resume else other
        raise click.UsageError(f"--find-lr trains nothing, so leave out {other}")
    settings = settings_of(asked, init_from)
    hosts = asked.over(HostsConfig())
    refuse_idle(asked, hosts_rules(hosts))
    if num_styles and (hosts.hosts, hosts.on) != ("one", "here"):
        raise click.UsageError(
            "--styles needs one host: leave it out, and run `headline styles` later"
        )
    if asked.printing:
        return asked.show(*settings, hosts)
    run = run_with(settings, data_dir, model_dir, init_from)
    run = replace(run, overwrite=overwrite, resume=resume, tensorboard=tensorboard)
    run = replace(run, hosts=hosts)
    start(replace(run, styles=_checked(num_styles)), find_lr)
    if find_lr:
        tell_newer(FIND_LR)


def _checked(styles: int) -> int:
    """Returns a number of styles, or 0 for none.

    Raises:
        ConfigError: it is out of range.
    """
    return StyleConfig(styles=styles).styles if styles else 0


def settings_of(asked: Asked, init_from: Path | None) -> Settings:
    """Returns the settings of a training: the preset's, changed as the user asked.

    Args:
        init_from: the model whose network is used instead of the preset's.

    Raises:
        ConfigError: the settings cannot be combined.
        click.UsageError: a given setting has no effect.
    """
    preset = asked.over(PresetConfig())
    chosen = PRESETS[preset.preset]
    network = chosen.model if init_from is None else network_of(init_from)
    model, config = asked.over(network), asked.over(chosen.train)
    refuse_idle(asked, training_rules(model, config))
    return preset, config, model


def run_with(
    settings: Settings, data_dir: Path, model_dir: Path, init_from: Path | None
) -> Run:
    """Returns a run with the settings, which ``settings_of`` gave."""
    preset, config, model = settings
    return Run(
        data_dir=data_dir,
        model_dir=model_dir,
        preset=preset.preset,
        model=model,
        train=config,
        decode=PRESETS[preset.preset].decode,
        init_from=init_from,
    )


def start(run: Run, find_lr: bool) -> None:
    """Trains, or finds a learning rate, and prints the result."""
    from headline.cli.places import check_training

    check_training(run, find_lr)
    if line := run_training(run, find_lr):
        click.echo(line)


def run_training(run: Run, find_lr: bool) -> str:
    """Trains, or finds a learning rate, and returns the line to print at the end.

    If several processes train together, only process 0 has such a line.
    """
    from headline.network.backend import (
        choose_backend,
        muted_native_stderr,
        share_cores,
    )

    if run.hosts.on == "ray":
        return _run_on_ray(run)
    choose_backend()
    with muted_native_stderr():
        with timed("loaded Keras"):
            from headline.training.train import find_learning_rate, train_model

        share_cores()
        if find_lr:
            return f"{find_learning_rate(run, tell):g}"
        interrupt = Interrupt(tell)
        with interrupt.listening():
            if not run.styles:
                train_model(run, tell, interrupt)
            else:
                from headline.training.styles.after import train_with_styles

                train_with_styles(run, tell, interrupt)
    return str(run.model_dir) if _is_first(run.hosts) else ""


def _run_on_ray(run: Run) -> str:
    from headline.training.on_ray import train_on_ray

    interrupt = Interrupt(tell)
    with interrupt.listening():
        train_on_ray(run, tell, interrupt)
    return str(run.model_dir)


def _is_first(hosts: HostsConfig) -> bool:
    from headline.training.hosts import find_place

    return hosts.hosts == "one" or find_place(hosts, os.environ).rank == 0


def network_of(model_dir: Path) -> ModelConfig:
    """Returns the network of a trained model."""
    from headline.bundle import load_bundle

    return load_bundle(model_dir).model
