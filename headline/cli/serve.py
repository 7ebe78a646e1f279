"""``headline serve``."""

from pathlib import Path
from typing import TYPE_CHECKING

from headline.cli.asked import Asked, part, tell_settings
from headline.cli.models import single_blas_thread
from headline.cli.options import command, model_option, option, settings_options
from headline.cli.paths import INPUT
from headline.cli.story import tell
from headline.errors import HeadlineError
from headline.settings.commands import MachineConfig
from headline.settings.search import DecodeConfig, over
from headline.settings.serve import ServeConfig

if TYPE_CHECKING:
    from headline.serving.server import Plan

NEEDED = ("fastapi", "prometheus_client", "uvicorn")


@command("serve")
@model_option(help="Folder of the model.", reads=True, required=True, group="Model")
@option(
    "--api-keys",
    "key_file",
    type=INPUT,
    metavar="FILE",
    group="Address",
    help="Answer only clients with a key; each line of FILE has a name and the SHA-256"
    " of a key.",
)
@settings_options(
    part(ServeConfig),
    part(MachineConfig, only=("workers",)),
    part(DecodeConfig),
)
def serve(asked: Asked, model_dir: Path, key_file: Path | None) -> None:
    """Serve a page for editors and an HTTP API.

    Open the printed address in a browser; /openapi.json describes the API. SIGTERM
    and Ctrl+C end it once all requests are answered, SIGHUP loads the model anew.

    \b
    Example:
        headline serve -m models/news
        headline serve -m models/news --host 0.0.0.0 --api-keys keys.txt
    """
    single_blas_thread()
    config, machine = asked.over(ServeConfig()), asked.over(MachineConfig())
    if asked.printing:
        from headline.cli.models import own_search, search_of

        return asked.show(
            config, machine, search_of(asked, own_search(model_dir), machine)
        )
    _check_installed()
    from headline.serving.server import serve as run

    run(_plan(asked, config, machine, model_dir, key_file))


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise HeadlineError(
            f"serve needs {' and '.join(missing)}: pip install 'headline[serve]'"
        )


def _plan(
    asked: Asked,
    config: ServeConfig,
    machine: MachineConfig,
    model_dir: Path,
    key_file: Path | None,
) -> "Plan":
    from headline.serving.keys import Keys
    from headline.serving.server import Plan
    from headline.system.workers import cores

    tell_settings(config)
    return Plan(
        model_dir=model_dir,
        config=config,
        values=over(asked.file, asked.given),
        workers=machine.workers or cores(),
        keys=None if key_file is None else Keys.read(key_file),
        tell=tell,
        begun=lambda address: tell(f"serving {model_dir} at {address}"),
    )
