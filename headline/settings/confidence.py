"""Settings of ``headline calibrate``: what the confidence is fitted to."""

from dataclasses import dataclass

from headline.settings.base import Config, Range, setting

GOOD_ROUGE_L = 50.0
PERCENT = Range(above=0, high=100)
GOOD_HELP = (
    "ROUGE-L from which a headline counts as good; the confidence estimates how likely"
    " that is."
)


@dataclass(frozen=True, kw_only=True)
class ConfidenceConfig(Config):
    """How the confidence of a model is fitted."""

    section = "confidence"

    good_rouge_l: float = setting(
        GOOD_ROUGE_L, GOOD_HELP, group="Fit", level="basic", range=PERCENT
    )
