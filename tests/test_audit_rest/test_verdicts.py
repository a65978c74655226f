"""Who signed at the source: what the answer says, the entry that REST shows says too, and the bundle has the papers."""

import io
import json
import zipfile
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from tests.test_audit_rest.office import Office
from tests.test_docs.pages import ROOT
from tests.test_openapi.deployment import Answer

BODIES = {name: each["body"] for name, each in json.loads((ROOT / "schemas" / "examples.json").read_bytes()).items()}


def question(office: Office, name: str) -> Answer:
    stated = {"Lgsp_Purpose": "dossier-processing", "Lgsp_Dossier": "000.00.00.G15-261130-0001", "Lgsp_Officer": "nva"}
    return office.ask(f"/v1/{name}", BODIES[name], client="ministry", **stated)


@pytest.mark.parametrize(
    ("name", "domain"), [("population/person", None), ("land/parcel", "registries"), ("tax/taxpayer", None)]
)
def test_the_verdict_on_the_source_is_in_the_entry(local: Office, name: str, domain: str | None) -> None:
    told = question(local, name)
    assert told.status == 200, told.body
    signature, index = told.json["exchange"]["signature"], told.json["receipt"]["index"]
    assert (signature["status"], signature["domain"], signature["revocation"]) == ("valid", domain, "good")
    details = local.get(f"/v1/audit/entries/{index}", client="ministry")["details"]
    assert {name: value for name, value in details.items() if "sign" in name} == {
        "signer": signature["certificate"],
        "signed_at": signature["signed_at"],
        "signer_revocation": signature["revocation"],
        **({} if domain is None else {"signer_domain": domain}),
    }
    shown = local.ask(f"/v1/audit/entries/{index}/bundle", {}, client="ministry")
    with zipfile.ZipFile(io.BytesIO(shown.body)) as archive:
        path = load_pem_x509_certificates(archive.read("certificates.pem"))
        assert any(member.startswith("revocation/") for member in archive.namelist())
    assert f"sha256:{sha256(path[0].public_bytes(Encoding.DER)).hexdigest()}" == signature["certificate"]
    assert path[0].issuer == path[1].subject


def test_a_source_that_does_not_sign_has_no_verdict(local: Office) -> None:
    told = question(local, "enterprise/enterprise")
    assert (told.status, told.json["exchange"]["signature"]) == (200, None)
    entry = local.get(f"/v1/audit/entries/{told.json['receipt']['index']}", client="ministry")
    assert "sign" not in json.dumps(entry.get("details", {}))


@pytest.mark.parametrize(("fault", "reason"), [("tampered", "altered"), ("revoked-cert", "revoked")])
def test_a_verdict_against_the_source_is_in_the_entry(local: Office, fault: str, reason: str) -> None:
    faults = local.deployment.registries.faults["land"]
    faults.set(fault)
    try:
        told = question(local, "land/parcel")
    finally:
        faults.set(None)
    assert (told.json["code"], told.json["reason"]) == ("upstream-signature-rejected", reason)
    entry = local.get(f"/v1/audit/entries/{told.json['receipt']['index']}", client="ministry")
    assert entry["outcome"] == {"code": "upstream-signature-rejected", "reason": reason, "status": 502}
    # Nobody is named who signed: what was sent under that name is not proven to be theirs.
    assert "signer" not in entry.get("details", {})
    assert "data" not in entry["commitments"]
    assert entry["commitments"]["answer_messages"]
