"""Two trust domains in files, and what an endpoint makes of them."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.endpoint_trust import trust_of
from adapters.trust_domains import TrustDomains
from config.settings import Domain, Endpoint
from security.signature import Rejected
from security.trust import Trust
from tests.test_revocation.issuing import NOW, Holder, der, pem

PUBLIC = Holder.root("CA quốc gia")
GOVERNMENT = Holder.root("CA chuyên dùng Chính phủ")
RSA_2048 = rsa.generate_private_key(65537, 2048)
POLICY = "1.3.6.1.4.1.99999.1"


def policies(*oids: str) -> list[tuple[x509.ExtensionType, bool]]:
    found = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]
    return [(x509.CertificatePolicies(found), False)]


class Files:
    """Certificates as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __call__(self, *holders: Holder) -> Path:
        self.count += 1
        path = self.folder / f"{self.count}.pem"
        path.write_bytes(pem(*(holder.certificate for holder in holders)))
        return path


def two(files: Files, **more: Any) -> TrustDomains:
    off = {"revocation": "off"} | more
    return TrustDomains.load(
        {
            "public": Domain(anchors=(files(PUBLIC),), **off),
            "government": Domain(anchors=(files(GOVERNMENT),), **off),
        }
    )


def trust(files: Files, domains: TrustDomains, **endpoint: Any) -> Trust:
    return trust_of("tax", Endpoint(url="http://127.0.0.1", **endpoint), domains)


def refusal(judge: Trust, holder: Holder) -> Rejected:
    with pytest.raises(Rejected) as refused:
        judge.accept(der(holder.certificate), NOW)
    return refused.value
