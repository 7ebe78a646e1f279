"""What the page on several hosts promises, as far as one machine can check it."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from headline.cli.main import main
from headline.training.hosts import ADDRESS, KUBERNETES_PORT
from headline.training.link import computing_share, seconds_of, story, sum_seconds

PAGE = Path(__file__).parents[2] / "headline" / "training" / "hosts.md"
TEXT = PAGE.read_text("utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(
    r"headline (train [^|\n]*)",
    "".join(re.findall(r"```(?:sh|yaml)\n(.*?)```", TEXT, re.DOTALL)),
)
ROW = re.compile(r"\| (.*), (\d+) pairs, (\d+) ms \| (\d+) \| (.*) \|")


@pytest.mark.parametrize("script", SHELL)
def test_every_script_has_a_right_form(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_right_form(command: str) -> None:
    words = [word for word in shlex.split(command) if word != "$resume"]
    result = CliRunner().invoke(main, [*words, "--print-config"])
    assert result.exit_code == 0, result.output
    assert "[hosts]" in result.output


def test_all_ways_to_start_are_shown() -> None:
    assert len(COMMANDS) >= 7
    assert f"train-news-0.SERVICE:{KUBERNETES_PORT}" in TEXT and ADDRESS in TEXT


def test_the_table_is_computed() -> None:
    size = 1e6 * float(re.findall(r"size of the gradient \(([\d.]+) MB", TEXT)[0])
    (header,) = re.findall(r"\| device, .*", TEXT)
    rates = [float(one.replace(",", "")) for one in re.findall(r"([\d,]+) G", header)]
    rows = ROW.findall(TEXT)
    assert rates == [1, 10, 25, 3600] and len(rows) == 4
    for _, _, milliseconds, devices, shares in rows:
        for rate, share in zip(rates, shares.split(" | "), strict=True):
            adding = sum_seconds(size, int(devices), rate)
            whole = float(milliseconds) / 1000 + adding
            assert f"{computing_share(whole, adding):.0%}" == share


def test_a_ring_sends_what_it_must() -> None:
    # 125 MB over 1 Gbit/s take a second; of two devices each sends all of it once.
    assert sum_seconds(125e6, 2, 1.0) == pytest.approx(1.0)
    assert sum_seconds(125e6, 1000, 1.0) == pytest.approx(2.0, rel=0.01)
    assert sum_seconds(125e6, 1, 1.0) == 0
    assert computing_share(2.0, 0.5) == 0.75 and computing_share(1.0, 3.0) == 0.0


def test_the_pace_is_told_in_one_line() -> None:
    # A second for the compiler among batches of 20 ms.
    times = [0.0, 1.0, 1.02, 1.04, 1.06, 1.08]
    line = story(int(13.7e6), 2, seconds_of(times), 0.004)
    assert line == (
        "2 devices: a batch takes 20 ms, about 80% of it computing; adding up 13.7 MB "
        "of gradients takes 4 ms (27.4 Gbit/s)"
    )
