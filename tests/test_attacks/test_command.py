"""Every attack against `lgsp signature verify`, many files in one process: a reason for each, and no content."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.test_attacks import sources
from tests.test_attacks.attack import MARK, Attack, Genuine
from tests.test_attacks.costs import MAX_MEGABYTES
from tests.test_attacks.everything import attacks
from tests.test_attacks.traps import touched

ROOT = Path(__file__).parents[2]
# One file says neither what was asked nor what came before it; the command takes inclusive forms of documents.
UNKNOWN = {"question", "memory", "exclusive"}


# The highest memory of a process counts from before it became the command, when it was as large as who started it.
SPENDING = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "w").write(f"{used.ru_utime} {used.ru_maxrss}")
sys.exit(code)
"""


@dataclass(frozen=True)
class Told:
    """What one run of the command said and cost."""

    code: int
    lines: list[dict[str, Any]]
    errors: str
    seconds: float
    megabytes: float


class Command:
    """Runs the command with what is known of a source."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        known = sources.source(kind)
        (folder / "anchor.pem").write_bytes(known.authority.public_bytes(Encoding.PEM))
        (folder / "signer.pem").write_bytes(known.key.certificate.public_bytes(Encoding.PEM))
        (folder / "revoked.crl").write_bytes(sources.revocation_list(kind).public_bytes(Encoding.PEM))
        self.arguments = [sys.executable, "-m", "gateway", "signature", "verify", "--json"]
        self.arguments += ["--at", f"{sources.NOW:%Y-%m-%dT%H:%M:%SZ}"]
        self.arguments += ["--trust", str(folder / "anchor.pem"), "--crl", str(folder / "revoked.crl")]

    def verify(self, profile: str, documents: dict[str, bytes], *options: str) -> Told:
        """Judge these documents, each in a file of its name."""
        files = [self.folder / f"{profile}-{name}.xml" for name in documents]
        for file, document in zip(files, documents.values(), strict=True):
            file.write_bytes(document)
        command = [*self.arguments, "--profile", profile, *options, *map(str, files)]
        spent = self.folder / "spent"
        done = subprocess.run(
            [sys.executable, "-c", SPENDING, str(spent), *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["file"] for line in lines] == [str(file) for file in files], done.stderr[-2000:]
        seconds, kilobytes = map(float, spent.read_text().split())
        return Told(done.returncode, lines, done.stderr, seconds, kilobytes / 1024)


def judged(command: Command, profile: str, message: Genuine, tried: list[Attack], *options: str) -> None:
    """Fail unless the genuine message is valid and each attack on it is not, for one of its reasons."""
    genuine = command.verify(profile, {"genuine": message.octets}, *options)
    assert (genuine.code, genuine.lines[0]["valid"], genuine.lines[0]["reason"]) == (0, True, None)
    unknown = UNKNOWN if options else UNKNOWN | {"signer"}
    made = {f"{at:04}": (one, one.forge(message)) for at, one in enumerate(tried) if not unknown & one.needs}
    forged = {name: document for name, (_, document) in made.items() if document is not None}
    told = command.verify(profile, {**forged, "last": message.octets}, *options)
    assert (told.code, told.errors) == (1, "")
    assert told.lines.pop()["valid"] is True
    for line, name in zip(told.lines, forged, strict=True):
        attack = made[name][0]
        # Where one certificate is expected, no other is looked at.
        reasons = attack.reasons | ({"untrusted"} if options else set())
        assert (line["valid"], line["reason"] in reasons, line["signer"]) == (False, True, None), (str(attack), line)
    assert MARK.decode() not in json.dumps(told.lines)
    assert told.megabytes - genuine.megabytes < MAX_MEGABYTES
    assert told.seconds / len(forged) < 0.1
    assert touched() == []


@pytest.mark.parametrize(("version", "kind"), [("1.1", "rsa"), ("1.2", "p256")])
def test_forged_envelopes(tmp_path: Path, version: Any, kind: str) -> None:
    tried = attacks("soap")
    command = Command(tmp_path, kind)
    judged(command, "soap", sources.envelope(kind, version), tried)
    few = [attack for attack in tried if attack.family in ("certificates", "key confusion", "wrapping")]
    judged(command, "soap", sources.envelope(kind, version), few, "--signer", str(tmp_path / "signer.pem"))


def test_forged_documents(tmp_path: Path) -> None:
    judged(Command(tmp_path, "p256"), "enveloped", sources.document("p256"), attacks("enveloped"))
