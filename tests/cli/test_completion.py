"""``headline completion``: the script of each shell, and what it completes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from headline.cli.main import COMMANDS, main
from tests.test_architecture import loaded_modules

# What names the function, and hands it to the shell.
SCRIPTS = {
    "bash": ("_headline_completion() {", "complete -o nosort -F _headline_completion"),
    "zsh": ("#compdef headline", "compdef _headline_completion headline"),
    "fish": (
        "function _headline_completion;",
        "complete --no-files --command headline",
    ),
}
BASH = shutil.which("bash")
ASK = """
eval "$(headline completion bash)"
COMP_WORDS=({words}) COMP_CWORD={place}
_headline_completion headline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_of_a_shell_is_printed(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0 and result.stderr == ""
    for part in SCRIPTS[shell]:
        assert part in result.stdout
    assert f"_HEADLINE_COMPLETE={shell}_complete" in result.stdout


def test_another_shell_is_refused() -> None:
    result = CliRunner().invoke(main, ["completion", "tcsh"])
    assert result.exit_code == 2 and "'bash', 'zsh', 'fish'" in result.stderr


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a program called headline, to stand in PATH."""
    path = tmp_path / "headline"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headline "$@"\n', "utf-8")
    path.chmod(0o755)
    return tmp_path


def completed(words: str, place: int, program: Path) -> list[str]:
    """What bash would complete the word at a place to."""
    assert BASH is not None
    environment = os.environ | {"PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, "-c", ASK.format(words=words, place=place)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes_commands_and_options(program: Path) -> None:
    assert completed("headline gen", 1, program) == ["generate"]
    assert sorted(completed("headline", 1, program)) == sorted(COMMANDS)
    found = completed("headline generate --num", 2, program)
    assert found == ["--num-headlines"]
    assert completed("headline completion z", 2, program) == ["zsh"]


@pytest.mark.parametrize("asked", ["completion bash", "gen"])
def test_to_complete_loads_no_numpy(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if asked == "gen":
        monkeypatch.setenv("_HEADLINE_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "headline gen")
        monkeypatch.setenv("COMP_CWORD", "1")
        asked = ""
    code = (
        "from contextlib import suppress\nfrom headline.cli.main import main\n"
        f"with suppress(SystemExit): main({asked.split()}, prog_name='headline')"
    )
    loaded = loaded_modules(code)
    assert "click" in loaded
    assert not loaded & {"numpy", "keras", "tqdm", "safetensors", "jinja2"}
