"""The snippets of the section on signing, run as they stand: zeep with our plug-in, node's `soap`."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import html

from tests.test_gateway.live import ROOT, Live, lgsp
from tests.test_request_signatures.callers import make_certificate
from tests.test_snippets.conftest import get


def snippet(live: Live, name: str) -> str:
    (block,) = html.fromstring(get(live, "/docs/soap").decode()).xpath(f"//pre[@id='signing-{name}']")
    return str(block.text_content())


@pytest.fixture
def granted(live: Live) -> list[str]:
    """What the snippets should print: every operation, as namespace and element."""
    operations = json.loads((ROOT / "schemas/examples.json").read_text(encoding="utf-8"))
    return sorted(
        f"urn:lgsp:{database}:1 {''.join(part.capitalize() for part in operation.split('-'))}"
        for database, operation in (name.split("/") for name in operations)
    )


def test_zeep(live: Live, environment: dict[str, str], granted: list[str], tmp_path: Path) -> None:
    papers = live.described["clients"]["ministry"]
    (tmp_path / "zeep_wsse.py").write_bytes(get(live, "/docs/clients/zeep_wsse.py"))
    (tmp_path / "ask.py").write_text(snippet(live, "zeep"), encoding="utf-8")
    files = {
        "LGSP_KEY": papers["key"],
        "LGSP_CERTIFICATE": papers["certificate"],
        "LGSP_GATEWAY": str(live.state / "pki" / "gateway-answers.pem"),
    }
    done = subprocess.run(
        [sys.executable, "ask.py"], cwd=tmp_path, env=environment | files, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == granted


def test_node(live: Live, environment: dict[str, str], granted: list[str], tmp_path: Path) -> None:
    subprocess.run(["make", "-s", ".venv/.node"], cwd=ROOT, check=True, capture_output=True, timeout=240)
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    certificate = make_certificate(key, "node", now - timedelta(days=1), now + timedelta(days=1))
    (tmp_path / "client.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "client.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    config = str(live.state / "gateway.toml")
    done = lgsp(
        "clients", "register", "ministry", "--signing-certificate", str(tmp_path / "client.pem"), "--config", config
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "ask.js").write_text(snippet(live, "node"), encoding="utf-8")
    files = {
        "LGSP_KEY": "client.key",
        "LGSP_CERTIFICATE": "client.pem",
        "NODE_PATH": str(ROOT / ".venv" / "node" / "node_modules"),
    }
    # The gateway learns of the new certificate within ten seconds.
    until = time.monotonic() + 60
    while True:
        ran = subprocess.run(
            ["node", "ask.js"],
            cwd=tmp_path,
            env=os.environ | environment | files,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode == 0 or time.monotonic() > until:
            break
    assert ran.returncode == 0, ran.stderr[:2000]
    assert sorted(ran.stdout.splitlines()) == granted
