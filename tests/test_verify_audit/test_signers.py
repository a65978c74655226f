"""The certificates of a bundle are those of the signers that its entry names."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.test_verify_audit.made import LEAF, ROOT, fingerprint
from tools import verify_audit

SIGNER, OTHER = fingerprint(LEAF), fingerprint(ROOT)
LEAF_PEM, ROOT_PEM = LEAF.public_bytes(Encoding.PEM), ROOT.public_bytes(Encoding.PEM)
ANOTHER = ("fails", "certificates.pem is NOT of the signer that the entry names")
HERE = ("holds", f"the entry names the certificate {SIGNER}, which is here")
MALFORMED = ("unreadable", "malformed: certificates.pem")


def lacks(name: str) -> tuple[str, str]:
    return "note", f"the bundle has NO certificate {name} of the signer"


JUDGED: dict[str, tuple[dict[str, Any], bytes, list[tuple[str, str]]]] = {
    "signer": ({"signer": SIGNER}, LEAF_PEM + ROOT_PEM, [HERE]),
    "caller": ({"caller_signer": SIGNER}, LEAF_PEM, [HERE]),
    "caller-alone": ({"signer": OTHER, "caller_signer": SIGNER}, LEAF_PEM, [lacks(OTHER), HERE]),
    "none": ({"signer": SIGNER}, b"", [lacks(SIGNER)]),
    "nobody": ({}, b"", []),
    "swapped": ({"signer": SIGNER}, ROOT_PEM, [ANOTHER]),
    "behind-another": ({"signer": SIGNER}, ROOT_PEM + LEAF_PEM, [ANOTHER]),
    "of-nobody": ({}, LEAF_PEM, [ANOTHER]),
    "another-in-front": (
        {"signer": SIGNER},
        ROOT_PEM.replace(b"CERTIFICATE", b"X509 CERTIFICATE") + LEAF_PEM,
        [MALFORMED],
    ),
    "other-line-ends": ({"signer": SIGNER}, LEAF_PEM.replace(b"\n", b"\r\n"), [MALFORMED]),
    "other-base64": (
        {"signer": SIGNER},
        b"-----BEGIN CERTIFICATE-----\nTWF=\n-----END CERTIFICATE-----\n",
        [("unreadable", "malformed: base64")],
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_the_first_certificate_is_one_that_the_entry_names(name: str) -> None:
    details, pem, said = JUDGED[name]
    run = verify_audit.Run({}, 1)
    run.attempt("bundle.zip", run.signers, details, pem)
    assert [(kind, text) for kind, _, text in run.facts] == said
