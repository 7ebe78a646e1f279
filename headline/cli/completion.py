"""``headline completion``."""

import click
from click.shell_completion import get_completion_class

from headline.cli.options import argument, command, story_options

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_HEADLINE_COMPLETE"  # click's sign that a shell wants completions


@command("completion")
@argument("shell", type=click.Choice(SHELLS), required=True)
@story_options
def completion(shell: str) -> None:
    """Print what makes a shell complete commands and options by Tab.

    \b
    Example:
        eval "$(headline completion bash)"     in ~/.bashrc
        eval "$(headline completion zsh)"      in ~/.zshrc
        headline completion fish | source      in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has each of SHELLS
    root = click.get_current_context().find_root().command
    # Not source(): for bash, it starts a bash process only to check its version.
    script = kind(root, {}, "headline", VARIABLE)
    click.echo(script.source_template % script.source_vars())
