"""schemathesis against the live gateway: thousands of right and wrong requests, every answer as published."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters import DATABASES
from tests.test_openapi.deployment import Deployment

# A value can have the published form and still break a rule that no schema tells (check digits, one key of two): 422.
# How a client proves itself is a matter of header, form and certificate together, which a schema cannot tell either.
CONFIGURATION = """\
hooks = "{hooks}"
headers = { Authorization = "Bearer ${LGSP_TOKEN}" }
warnings = false

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

[[operations]]
include-path-regex = "^/oauth2/"
headers = { Authorization = "Basic ${LGSP_BASIC}" }

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401"]

# Operations share everything but their models: some are covered systematically, all are fuzzed.
[[operations]]
include-path = {uncovered}
[operations.phases.coverage]
enabled = false
"""
# A stream of lines is text to whoever has no model of the lines.
HOOKS = """\
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
"""
_COVERED = {"population/person", "social-insurance/find-number", "tax/obligations"}
_NAMES = [f"{database.name}/{operation.name}" for database in DATABASES for operation in database.operations]
_UNCOVERED = [f"/v1/{name}" for name in _NAMES if name not in _COVERED]


# A minute on a busy machine: five times that is what any other test may take.
@pytest.mark.timeout(1000)
def test_every_answer_is_as_published(deployed: Deployment, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    hooks = tmp_path / "lines.py"
    hooks.write_text(HOOKS)
    config.write_text(CONFIGURATION.replace("{hooks}", str(hooks)).replace("{uncovered}", json.dumps(_UNCOVERED)))
    ministry = deployed.clients["ministry"]
    basic = base64.b64encode(f"{ministry['client_id']}:{ministry['client_secret']}".encode()).decode()
    # The token goes by the environment: a command line can be read by everybody on the machine.
    known = {"LGSP_TOKEN": deployed.token("ministry"), "LGSP_BASIC": basic}
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run"),
            *(f"{deployed.url}/openapi.json", "--url", deployed.url),
            *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", "5"),
            # A busy machine is no finding.
            *("--suppress-health-check", "all", "--request-timeout", "30"),
            *("--seed", "1", "--workers", "1", "--no-shrink", "--continue-on-failure", "--no-color"),
        ],
        cwd=tmp_path,
        env={**os.environ, **known},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    # It leaves out the address of the document itself.
    paths = deployed.ask("GET", "/openapi.json").json["paths"]
    assert f"Tested: {sum(len(item) for path, item in paths.items() if path != '/openapi.json')}" in done.stdout
