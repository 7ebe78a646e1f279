"""``headline score``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headline.cli.asked import Asked, part
from headline.cli.effects import SCORING, format_rules, refuse_idle
from headline.cli.models import (
    corpus_format,
    generator_of,
    loaded,
    own_search,
    search_of,
    single_blas_thread,
)
from headline.cli.older import model_and_file
from headline.cli.options import (
    argument,
    command,
    json_option,
    model_option,
    output_option,
    settings_options,
)
from headline.cli.output import print_result, telling_some
from headline.cli.story import tell, timed
from headline.settings.commands import FormatConfig, MachineConfig
from headline.settings.search import DecodeConfig

if TYPE_CHECKING:
    from headline.evaluation.scoring import Scored


@command("score")
@argument("places", nargs=-1, required=True, metavar="FILE")
@model_option(help="Folder of the model; required.", reads=True, group="Model")
@output_option(
    "Write each headline with its log-probability as CSV; with - (stdout), the averages"
    " go to stderr."
)
@json_option
@settings_options(
    part(FormatConfig),
    part(
        DecodeConfig,
        only=SCORING,
        about={
            "shortlist": {
                "help": "Compute each softmax over this many of the most frequent"
                " tokens and those of the article, as `headline generate` does (0: the"
                " whole vocabulary, which is slower)."
            }
        },
    ),
    part(MachineConfig, only=("device",)),
)
def score(
    asked: Asked,
    places: Sequence[str],
    model_dir: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Score the headlines of FILE: how likely the model finds them.

    A score is the natural logarithm of the probability of a headline given its
    article, as `headline generate --with-scores` writes it. FILE is in any format
    that `headline prepare` reads. Printed are the mean score and the perplexity of a
    character.

    \b
    Example:
        headline score -m models/news prepared/news/test.csv
        headline score -m models/news prepared/news/test.csv -o scores.csv
    """
    machine, form = asked.over(MachineConfig()), asked.over(FormatConfig())
    if asked.printing:
        search = search_of(asked, own_search(model_dir), machine)
        return asked.show(search, form, machine)
    model_dir, file, _ = model_and_file(model_dir, places, may_stand_first=False)
    refuse_idle(asked, format_rules([file]))
    print_result(scored(asked, model_dir, file, output), output, as_json)


def scored(asked: Asked, model_dir: Path, file: Path, output: Path | None) -> "Scored":
    """Scores the headlines of a file.

    Raises:
        HeadlineError: the model or the file cannot be read, or ``output`` written.
    """
    single_blas_thread()
    from headline.cli.places import check_evaluation
    from headline.evaluation.scoring import score_file
    from headline.system.progress import Meter

    check_evaluation(output, model_dir, file, None)
    form = corpus_format(asked.over(FormatConfig()), telling_some())
    machine = asked.over(MachineConfig())
    bundle = loaded(model_dir)
    search = search_of(asked, bundle.decode, machine)
    generator = generator_of(bundle, search, machine)
    with timed("scored the headlines"), Meter("evaluate", "articles", tell) as meter:
        return score_file(generator, file, form, meter)
