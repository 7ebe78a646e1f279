"""schemathesis over the whole description of the API: thousands of cases."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.running import serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
EXAMPLES = 450  # for each route; those of the other phases come on top
CASES = 5000


@pytest.mark.slow
def test_no_request_gets_an_answer_that_is_not_described(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    with serving("--workers", "1", "--keep-bytes", "20", "--max-file", "1") as server:
        address = f"http://{server.host}:{server.port}/openapi.json"
        command = [sys.executable, "-m", "schemathesis.cli", "run", address]
        command += ["--max-examples", str(EXAMPLES), "--checks", ",".join(CHECKS)]
        command += ["--continue-on-failure", "--seed", "1"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
        found = re.search(r"([\d,]+) generated", done.stdout)
        assert found and int(found[1].replace(",", "")) >= CASES, done.stdout[-1000:]
        assert server.told[1:] == []
