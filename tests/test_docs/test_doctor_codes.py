"""The operators' page names every trouble that `lgsp doctor` has a code for, and no other."""

import ast
import re

from adapters.proof import _REASONS
from tests.test_docs.pages import ROOT, rows, section, text_of

# Codes that are put together where they are given.
_ENDS = ("expired", "expires-soon")
MADE = {f"{kind}-{end}" for kind in ("certificate", "client-certificate", "key") for end in _ENDS}
MADE |= {"certificate-not-yet-valid", "crl-expires-soon", "crl-not-yet-valid", "crl-unreachable", "ocsp-unreachable"}
# Names of settings, commands, reasons and kinds that look like codes.
OTHERS = {
    "client-certificate",
    "revocation-list",
    "not-yet-valid",
    "expires-soon",
    "signature-rejected",
    "upstream-signature-rejected",
    "unknown-key",
}
# What other parts of the page explain: archives, network, storage, disk, Redis, the token of a key.
ELSEWHERE = re.compile(r"(archives?|connect|name|no|storage|redis|disk|look|token|witness)-.*")
FINE = {
    "clock-agrees", "crl-current", "face-not-running", "face-shown", "gateway-not-running", "handshakes-fine",
    "nothing-ends-soon", "ocsp-answers", "platform-gives", "signer-believed",
}  # fmt: skip


def given() -> set[str]:
    """Every word with a hyphen in the modules of findings: codes are written out there."""
    found = {
        str(node.value)
        for path in (ROOT / "routes").glob("*_findings.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)+", str(node.value))
    }
    codes = found - OTHERS - _REASONS.keys() - FINE
    return {code for code in codes if not ELSEWHERE.fullmatch(code)} | MADE


def test_every_code_is_explained() -> None:
    table = rows(section(text_of("docs/operators.md"), "### Trouble with certificates (sự cố chứng thư số)"))
    told = {code for row in table for code in re.findall(r"`([a-z-]+)`", row[1])}
    assert told == given()
