"""What is said about genuine evidence, all of it and in this order."""

import re
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from tests.test_verify_audit.made import LEAF, fingerprint, judged, told
from tests.test_verify_audit.test_hostile_claims import report

LOG, WITNESS = "lgsp.example/log", "witness.example/w1"
ALONE = (
    "note",
    "no witness: only a checkpoint from elsewhere shows that the log was not cut short and has no second history",
)
ENTRY = "AT, exchange, population, person, birth-registration, 000.00.00.G15-261122-0001, ministry, ok"
SAYS = ("note", f"the entry says: {ENTRY}; officer, purpose and dossier are the caller's word")
DATA = ("holds", "data: the content that the entry commits to")
UNPROVEN = ("note", "the entry does NOT prove: exchange.answered_at, exchange.warnings")
PATH = "GET /v1/audit/entries/1/proof"
SHORT = ("unshown", f"that entry 1 stands in the log: it takes a receipt `Lgsp-Receipt: full`, {PATH} or an export")
TWO = "that the checkpoints of 2 and 11 are of one history"
OPENED = ("data", "question", "request_messages/0", "subjects/1")
CLOSED = ("answer_messages/0", "subjects/0")
UNOPENED = (
    "note",
    "only the receipt is here: the data answered and the salt were not compared, give the whole answer for that",
)


def checkpoint(size: int) -> tuple[str, str]:
    return "holds", f"checkpoint of {size} entries, signed by the log {LOG}"


def included(index: int, size: int) -> tuple[str, str]:
    return "holds", f"entry {index} stands in the log {LOG} of {size} entries (RFC 9162)"


def seen(size: int) -> tuple[str, str]:
    return "holds", f"the witness {WITNESS} cosigned the checkpoint of {size} at 2026-11-30T00:53:20Z"


def export(first: int, last: int, size: int, count: int) -> tuple[tuple[str, str], tuple[str, str]]:
    said = f"entries {first} to {last} give the root of the checkpoint of {size}, signed by the log {LOG}"
    return ("holds", said), ("holds", f"checkpoints that agree with the entries: {count}")


SAID: dict[str, tuple[list[str], int, list[tuple[str, str]]]] = {
    "answer": (["answer.json"], 0, [checkpoint(2), included(1, 2), SAYS, DATA, UNPROVEN, ALONE]),
    "receipt": (["receipt.json"], 0, [checkpoint(2), included(1, 2), SAYS, UNOPENED, ALONE]),
    "short": (["short.json"], 1, [checkpoint(2), SHORT, ALONE]),
    "short-by-export": (
        ["short.json", "whole.zip"],
        0,
        [
            checkpoint(2),
            *export(0, 10, 11, 11),
            ("holds", "entry 1 stands in the log, as another file proves"),
            SAYS,
            DATA,
            UNPROVEN,
            ALONE,
        ],
    ),
    "proof": (["proof.json"], 0, [checkpoint(3), included(0, 3), ALONE]),
    "witnessed": (["new.txt"], 0, [checkpoint(11), seen(11)]),
    "consistency": (
        ["consistency.json"],
        1,
        [("unshown", "that the checkpoint of 11 continues that of 3: it takes both of them (FILE or --checkpoint)")],
    ),
    "continued": (
        ["consistency.json", "old.txt", "--checkpoint"],
        0,
        [
            checkpoint(3),
            checkpoint(11),
            seen(11),
            ("holds", f"the checkpoint of 11 of {LOG} continues that of 3: no earlier entry was changed"),
            ("holds", "the checkpoints of 3 and 11 are of one history"),
        ],
    ),
    # The one thing that matters most: the whole log, and what a witness holds.
    "export-and-witness": (["whole.zip", "--checkpoint"], 0, [checkpoint(11), seen(11), *export(0, 10, 11, 11)]),
    "other-history": (
        ["answer.json", "--checkpoint"],
        1,
        [
            checkpoint(2),
            included(1, 2),
            SAYS,
            DATA,
            UNPROVEN,
            checkpoint(11),
            seen(11),
            ("unshown", f"{TWO}: it takes GET /v1/audit/consistency?from=2&to=11 or an export"),
        ],
    ),
    "gap": (
        ["small.zip", "third.zip"],
        1,
        [
            *export(0, 2, 3, 3),
            *export(5, 10, 11, 6),
            ("unshown", "entries 3 to 4 between this file and small.zip: it takes an export of them"),
            ALONE,
        ],
    ),
    "in-a-row": (
        ["second.zip", "small.zip"],
        0,
        [*export(0, 2, 3, 3), *export(3, 10, 11, 8), ("holds", "it continues small.zip"), ALONE],
    ),
    "keys": (["keys.txt"], 0, [("holds", f"the key {name} is among those of --key") for name in (LOG, WITNESS)]),
}


@pytest.mark.parametrize("name", SAID)
def test_everything_that_is_said(made: Path, name: str) -> None:
    files, status, said = SAID[name]
    demanded = made / "new.txt" if files[-1] == "--checkpoint" else None
    found, facts = judged(
        *(made / each for each in files if each != "--checkpoint"), key=made / "keys.txt", checkpoint=demanded
    )
    shown = [(kind, timeless(text.replace(f"{made}/", ""))) for kind, text in facts]
    assert (found, shown) == (status, said)


def timeless(text: str) -> str:
    return re.sub(r"(the entry says: )\S+Z,", r"\1AT,", text)


BUNDLED = [
    f"HOLDS: {checkpoint(3)[1]}",
    f"HOLDS: {included(1, 3)[1]}",
    f"HOLDS: {seen(3)[1]}",
    f"NOTE: {SAYS[1]}",
    *(f"HOLDS: {name}: the content that the entry commits to" for name in OPENED),
    *(f"NOTE: {name}: this commitment is not opened here" for name in CLOSED),
    f"HOLDS: the entry names the certificate {fingerprint(LEAF)}, which is here",
    *(
        f"NOTE: {name} is NOT checked here; after unpacking: openssl {command}"
        for name, command in (
            ("certificates.pem", "verify -CAfile ROOT.pem -untrusted certificates.pem certificates.pem"),
            ("revocation/list.der", "crl -inform DER -in revocation/list.der -noout -text -CAfile CA.pem"),
            (
                "revocation/list.der",
                "ocsp -respin revocation/list.der -resp_text -CAfile ROOT.pem -verify_other certificates.pem",
            ),
            ("timestamp.tsr", "ts -verify -in timestamp.tsr -digest DIGEST -CAfile TSA.pem"),
        )
    ),
    "NOTE: the bundle says that it has no revocation/answer.der: no responder",
]
REPORT = "report.zip"
REPORTED = [
    f"HOLDS: {REPORT}/checkpoints/begin.txt: {checkpoint(2)[1]}",
    f"HOLDS: {REPORT}/checkpoints/end.txt: {checkpoint(3)[1]}",
    f"HOLDS: {REPORT}/checkpoints/end.txt: {seen(3)[1]}",
    *(line.replace(": ", f": {REPORT}/bundles/000000000001.zip: ", 1) for line in BUNDLED),
    f"NOTE: {REPORT}: a report on a to b: NOT proven are the words of report.html, and that there are no other entries",
    f"HOLDS: {REPORT}/consistency.json: the checkpoint of 3 of {LOG} continues that of 2: no earlier entry was changed",
]


def test_everything_that_is_said_of_a_bundle_and_of_a_report(made: Path, tmp_path: Path) -> None:
    for name in ("bundle.zip", "keys.txt"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    report(made, tmp_path / REPORT)
    with zipfile.ZipFile(made / "bundle.zip") as archive:
        digest = sha256(archive.read("checkpoint.txt").partition(b"\n\n")[0] + b"\n").hexdigest()
    for name, expected in (
        ("bundle.zip", [line.replace(": ", ": bundle.zip: ", 1) for line in BUNDLED]),
        (REPORT, REPORTED),
    ):
        status, out = told(name, "--lang", "en", folder=tmp_path)
        assert status == 0
        assert timeless(out.replace(digest, "DIGEST")).splitlines()[:-1] == expected


def test_a_bundle_has_the_entry_of_a_short_receipt(made: Path) -> None:
    status, facts = judged(made / "short.json", made / "bundle.zip", key=made / "keys.txt")
    recorded = ("holds", "entry 1 stands in the log, as another file proves")
    assert (status, recorded in facts, facts[-2:]) == (0, True, [DATA, UNPROVEN])
