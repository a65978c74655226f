"""The calls of the page for auditors do what it says, as they stand there."""

import os
import re
import subprocess
from pathlib import Path

from tests.test_audit_rest.office import Office, asked_about
from tests.test_docs.pages import ROOT, text_of

CALLS = re.findall(r"^```sh\n(.*?)^```", text_of("docs/auditors.md"), re.MULTILINE | re.DOTALL)


def test_every_call_of_the_page_works(local: Office, tmp_path: Path) -> None:
    index = local.log(asked_about("001085012345"))[0].index
    papers = local.deployment.clients["auditor"]
    kept = local.ask("/v1/audit/checkpoint", client=None).body
    (tmp_path / "old.txt").write_bytes(kept)
    local.log(asked_about("001085012345"))
    (tmp_path / "log.vkey").write_text(f"{local.get('/v1/audit/keys', client=None)['keys'][0]['vkey']}\n")
    (tmp_path / "verify_audit.py").write_bytes((ROOT / "tools" / "verify_audit.py").read_bytes())
    known = {
        "GATEWAY": local.deployment.url,
        "ID": papers["client_id"],
        "SECRET": papers["client_secret"],
        "INDEX": str(index),
        "OLD": kept.decode().split("\n")[1],
        "LANG": "C.UTF-8",
    }
    script = "\n".join(["set -euo pipefail", *CALLS])
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, **known}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(CALLS) == 9
    leaf = local.ask(f"/v1/audit/entries/{index}").headers["Lgsp-Leaf"]
    # The leaf that OpenSSL computes, the verdicts of the verifier, 8 hashes of 32 bytes.
    assert f"{leaf}\n" in done.stdout
    assert done.stdout.count("RESULT") + done.stdout.count("KẾT LUẬN") == 4, done.stdout
    assert "\n256\n" in done.stdout
