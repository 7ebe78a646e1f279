"""Names that editors give to styles; no Keras is needed for them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from headline.bundle import load_bundle, read_report, save_bundle, write_report
from headline.errors import BundleError
from headline.network.styles.catalogue import Styles
from headline.pages.styles_section import with_styles
from headline.system.folders import locked


def name_styles(model_dir: Path, names: Mapping[int, str]) -> Styles:
    """Gives names to styles of a model, also in its report.

    Args:
        names: by number, from 1; an empty name removes one.

    Raises:
        BundleError: the model has no styles.
        ConfigError: there is no such style, or a name is not allowed.
    """
    bundle = load_bundle(model_dir)
    with locked(model_dir):
        if bundle.styles is None:
            raise BundleError(
                f"{model_dir} has no styles: `headline styles -m {model_dir} DATA_DIR` "
                "finds them"
            )
        styles = bundle.styles.renamed(names)
        save_bundle(model_dir, replace(bundle, styles=styles))
        report_styles(model_dir, styles)
    return styles


def report_styles(model_dir: Path, styles: Styles) -> None:
    """Shows the styles in the model's report."""
    write_report(model_dir, with_styles(read_report(model_dir), styles))
