"""``headline evaluate``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headline.cli.asked import Asked, part
from headline.cli.effects import (
    format_rules,
    refuse_idle,
    scoring_rules,
    search_rules,
)
from headline.cli.models import (
    corpus_format,
    generator_of,
    loaded,
    own_search,
    search_of,
    single_blas_thread,
)
from headline.cli.older import MODEL_FIRST, SCORE, model_and_file, tell_newer
from headline.cli.options import (
    argument,
    command,
    json_option,
    model_option,
    option,
    output_option,
    settings_options,
)
from headline.cli.output import print_result, telling_some
from headline.cli.paths import COMPARED
from headline.cli.score import scored
from headline.cli.story import tell, timed
from headline.settings.commands import FormatConfig, MachineConfig
from headline.settings.search import DecodeConfig

if TYPE_CHECKING:
    from headline.evaluation.evaluate import Evaluation
    from headline.generation.generator import Generator


# The confidence is estimated if the model has one, and no headline is left out.
TRUST = "with_confidence", "min_confidence"


@command("evaluate")
@argument("places", nargs=-1, required=True, metavar="FILE")
@model_option(help="Folder of the model; required.", reads=True, group="Model")
@option(
    "--compare",
    type=COMPARED,
    metavar="OTHER",
    group="Model",
    help="Compare with another MODEL_DIR, or with a CSV file that -o wrote for the same"
    " articles.",
)
@output_option(
    "Write each article's headlines with their reference, log-probability and ROUGE as"
    " CSV; with - (stdout), the table of scores goes to stderr."
)
@json_option
@settings_options(
    part(DecodeConfig, but=TRUST), part(FormatConfig), part(MachineConfig)
)
@option(
    "--score",
    "scoring",
    is_flag=True,
    advanced=True,
    help="Older form of `headline score`.",
)
def evaluate(
    asked: Asked,
    places: Sequence[str],
    model_dir: Path | None,
    compare: Path | None,
    output: Path | None,
    as_json: bool,
    scoring: bool,
) -> None:
    """Write headlines for the articles of FILE and compare them with those in FILE.

    The headlines in FILE are the references. The table has a column for each system:
    the model; `other`, what --compare names; `oracle`, the best by ROUGE-L of an
    article's several headlines; `lead`, the opening of the article, cut to the median
    length of the references; and the references. ROUGE (F1), BLEU and chrF count
    characters and go to 100. "unsupported numbers %" and "unsupported Latin %" are the
    shares of headlines with a number or a Latin word that the article lacks; 12 is not
    in 2012. "unsupported names %" is that of names of people, places and organisations
    that the article lacks or has in pieces only. ± is half of the 95% interval by
    bootstrap. With --compare, a second table has the ROUGE of the model minus that of
    `other`; a difference with p below 0.05 is hardly chance. If headlines in all styles
    are asked for, further tables say how many have their style. A model with a
    confidence gets a line on how well it tells good headlines from others.

    \b
    Example:
        headline evaluate -m models/news prepared/news/test.csv
        headline evaluate -m models/news test.csv --compare models/old
        headline evaluate -m models/news test.csv --num-headlines 5 -o headlines.csv
        headline evaluate -m models/news test.csv --styles
    """
    if scoring and compare is not None:
        raise click.UsageError("--compare goes with headlines, not with --score")
    if asked.printing:
        machine = asked.over(MachineConfig())
        search = search_of(asked, own_search(model_dir), machine)
        return asked.show(search, asked.over(FormatConfig()), machine)
    model_dir, file, is_first = model_and_file(model_dir, places, may_stand_first=True)
    refuse_idle(asked, format_rules([file]))
    if scoring:
        refuse_idle(asked, scoring_rules())
        print_result(scored(asked, model_dir, file, output), output, as_json)
    else:
        found = evaluation(asked, model_dir, file, compare, output)
        print_result(found, output, as_json)
    if scoring or is_first:
        tell_newer(SCORE if scoring else MODEL_FIRST)


def evaluation(
    asked: Asked,
    model_dir: Path,
    file: Path,
    compare: Path | None,
    output: Path | None,
) -> "Evaluation":
    """Scores the headlines that a model writes for the articles of a file.

    Raises:
        HeadlineError: a model or a file cannot be read, or ``output`` written.
        click.UsageError: a given setting has no effect.
    """
    single_blas_thread()
    from headline.cli.places import check_evaluation
    from headline.evaluation.evaluate import evaluate as evaluate_model
    from headline.system.progress import Meter

    check_evaluation(output, model_dir, file, compare)
    form = corpus_format(asked.over(FormatConfig()), telling_some())
    machine = asked.over(MachineConfig())
    bundle = loaded(model_dir)
    other: Generator | Path | None = compare
    if compare is not None and compare.is_dir():
        rival = loaded(compare)
        other = generator_of(rival, search_of(asked, rival.decode, machine), machine)
    search = search_of(asked, bundle.decode, machine)
    if other is compare:  # another model may search differently: more has an effect
        refuse_idle(asked, search_rules(search, bundle.decode))
    generator = generator_of(bundle, search, machine)
    with timed("scored the headlines"), Meter("evaluate", "articles", tell) as meter:
        return evaluate_model(generator, file, form, other, meter)
