"""The table of docs/security.md on who may sign messages is what the verifier does."""

import pytest
from cryptography.x509 import ObjectIdentifier

from security.signature import Rejected
from security.trust_path import _FOR_MESSAGES, check_leaf
from tests.test_docs.pages import rows, section, text_of
from tests.test_doctor.papers import paper

TOLD = {
    row[1]: row[2]
    for row in rows(section(text_of("docs/security.md"), "## 3. Signatures of sources"))
    if len(row) == 3 and row[2] in ("yes", "no")
}


def test_every_purpose_that_admits_signing_is_told() -> None:
    assert {oid for oid, may in TOLD.items() if may == "yes" and oid} == {one.dotted_string for one in _FOR_MESSAGES}


@pytest.mark.parametrize("oid", [oid for oid in TOLD if oid])
def test_a_purpose_alone_admits_or_not_as_the_table_says(oid: str) -> None:
    certificate = paper("signer", purposes=(ObjectIdentifier(oid),)).certificate
    if TOLD[oid] == "yes":
        check_leaf(certificate)
        return
    with pytest.raises(Rejected, match="another purpose"):
        check_leaf(certificate)
    # Beside one that admits, it takes nothing away.
    check_leaf(paper("signer", purposes=(ObjectIdentifier(oid), *_FOR_MESSAGES)).certificate)


def test_no_purpose_at_all_admits_signing() -> None:
    check_leaf(paper("signer", purposes=()).certificate)
