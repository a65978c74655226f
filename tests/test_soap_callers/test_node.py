"""Messages signed by node's `soap`: refused as it signs by default, with what to set; accepted once that is set."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from schemas.errors import SignatureRejected
from security.signature import SoapVersion
from security.soap_callers import SoapCallers
from security.soap_plain import SOAP
from tests.test_soap_callers.callers import HEADERS, Holder, Office, client

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv/node"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
# As docs/callers.md shows them.
OPTIONS = {
    "signerOptions": {"idMode": "wssecurity"},
    "signatureTransformations": [EXC_C14N],
    "additionalReferences": ["gw:Purpose", "gw:Dossier", "gw:Officer"],
}

Sign = Callable[..., bytes]


def written(version: SoapVersion = "1.1") -> str:
    """An envelope as node's `soap` writes it."""
    headers = "".join(f'<gw:{name} xmlns:gw="urn:lgsp:gateway:1">{text}</gw:{name}>' for name, text in HEADERS.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP[version]}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:tns="urn:lgsp:population:1">'
        f'<soap:Header>{headers}</soap:Header><soap:Body><Person xmlns="urn:lgsp:population:1">'
        "<personalId>001190000001</personalId></Person></soap:Body></soap:Envelope>"
    )


@pytest.fixture
async def rsa(office: Office, holders: dict[str, Holder]) -> Holder:
    own = Holder.of(holders["rsa"].key.private, "Bộ", since=datetime.now(UTC) - timedelta(hours=1))
    await client(office, "ministry", own)
    office.callers = SoapCallers(office.registry)
    return own


@pytest.fixture
def sign(rsa: Holder, tmp_path: Path) -> Sign:
    (tmp_path / "key").write_text(rsa.key_pem)
    (tmp_path / "certificate").write_text(rsa.pem)

    def signed(options: dict[str, Any], version: SoapVersion = "1.1") -> bytes:
        done = subprocess.run(
            ["node", Path(__file__).parent / "node_sign.mjs", MODULES, tmp_path / "key", tmp_path / "certificate"],
            input=json.dumps({"xml": written(version), "options": options}) + "\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        document: str = json.loads(done.stdout)["signed"]
        return document.encode()

    return signed


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_with_the_options_of_the_page_it_is_accepted(office: Office, sign: Sign, version: SoapVersion) -> None:
    call = office.callers.verify(sign(OPTIONS, version), version)
    assert call.caller.client_id == "ministry"
    assert {etree.QName(one).localname: one.text for one in call.headers} == HEADERS
    assert call.body.findtext("{*}personalId") == "001190000001"


def refusal(office: Office, document: bytes) -> SignatureRejected:
    with pytest.raises(SignatureRejected) as refused:
        office.callers.verify(document, "1.1")
    return refused.value


NAMES = "signerOptions: { idMode: 'wssecurity' }"
TRANSFORMS = f"signatureTransformations: ['{EXC_C14N}']"
HEADER_NAMES = "additionalReferences"


@pytest.mark.parametrize(
    ("left_out", "reason", "named"),
    [
        (set(OPTIONS), "malformed", [NAMES, TRANSFORMS, HEADER_NAMES]),
        ({"signerOptions"}, "not-covered", [NAMES, HEADER_NAMES]),
        ({"signatureTransformations"}, "malformed", [TRANSFORMS, HEADER_NAMES]),
        ({"additionalReferences"}, "not-covered", [HEADER_NAMES]),
    ],
    ids=["defaults", "Id", "transforms", "headers"],
)
async def test_what_is_missing_is_named(
    office: Office, sign: Sign, left_out: set[str], reason: str, named: list[str]
) -> None:
    options = {name: value for name, value in OPTIONS.items() if name not in left_out}
    refused = refusal(office, sign(options))
    assert refused.reason == reason
    for text in (refused.detail.en, refused.detail.vi):
        assert [option for option in (NAMES, TRANSFORMS, HEADER_NAMES) if option in text] == named


async def test_nothing_is_advised_on_what_is_of_the_right_form(office: Office, sign: Sign) -> None:
    altered = sign(OPTIONS).replace(b"001190000001", b"001190000002")
    refused = refusal(office, altered)
    assert refused.reason == "altered"
    assert "node" not in refused.detail.en


def test_the_page_shows_these_options() -> None:
    page = (ROOT / "docs/callers.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```js\n(.*?WSSecurityCert.*?)```", page, re.DOTALL)
    assert "idMode: 'wssecurity'" in shown
    assert f"signatureTransformations: ['{EXC_C14N}']" in shown
    assert "additionalReferences: ['gw:Purpose', 'gw:Dossier', 'gw:Officer']" in shown
