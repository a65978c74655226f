"""Settings about trust that mean nothing, contradict themselves or would believe anybody; what `lgsp check` says."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters import DATABASES
from adapters.dispatch import compile_codecs, served
from adapters.trust_domains import NO_DOMAINS, TrustDomains
from config.settings import ConfigurationError, Domain, Expected, Settings, load
from routes import diagnosis
from routes.trust_findings import trust_findings
from security.trust_status import Unsettled
from tests.test_revocation.issuing import der
from tests.test_revocation.two_domains import GOVERNMENT, PUBLIC, Files, refusal, trust, two


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ({}, "needs signer"),
        ({"domain": "private", "expect": Expected(agency="G1")}, "there is no section"),
        ({"domain": "public"}, "would believe every signer"),
        ({"domain": "public", "expect": Expected(content_commitment=True)}, "would believe every signer"),
        ({"domain": "public", "expect": Expected(subject="CN=")}, "is no name"),
        ({"domain": "public", "expect": Expected(subject="nobody")}, "is no name"),
        ({"domain": "public", "expect": Expected(subject="CN=a,orgId=G13")}, "its part 2 has the unknown type orgId"),
        ({"domain": "public", "trust": True, "expect": Expected(agency="G1")}, "also trust or crl"),
        ({"trust": True}, "needs signer"),
        ({"pinned": True, "expect": Expected(agency="G1")}, "says nothing about pinned"),
    ],
)
def test_what_would_believe_anybody_or_contradicts_itself_is_refused(files: Files, endpoint: Any, said: str) -> None:
    for setting in ("trust", "pinned"):
        if endpoint.get(setting) is True:
            endpoint = endpoint | {setting: (files(PUBLIC if setting == "trust" else PUBLIC.issue()),)}
    with pytest.raises(ConfigurationError, match=said):
        trust(files, two(files), **endpoint)


def test_expected_signers_are_asked_about_before_the_first_message(files: Files) -> None:
    middle = PUBLIC.authority(ocsp_url="http://127.0.0.1:9/")
    leaf = middle.issue(ocsp_url="http://127.0.0.1:9/")
    domains = TrustDomains.load({"public": Domain(anchors=(files(PUBLIC),), intermediates=(files(middle),))})
    judge = trust(files, domains, domain="public", signer=files(leaf))
    register = domains.registers()["public"]
    assert register.asked_about() == [
        (leaf.certificate, middle.certificate), (middle.certificate, PUBLIC.certificate)
    ]  # fmt: skip
    assert isinstance(refusal(judge, leaf), Unsettled)


CONFIGURATION = """
[trust.public]
anchors = ["{public}"]
{public_more}

[trust.government]
anchors = ["{government}"]
crl = ["{crl}"]
from_certificates = false

[endpoints.tax]
url = "http://127.0.0.1:9"
domain = "{domain}"
signer = "{signer}"
key = "{key}"
certificate = "{certificate}"
{endpoint_more}
params = {{ agency = "H26", service = "tax" }}
"""


def written(files: Files, **values: str) -> Settings:
    """A configuration of two domains and one endpoint, read as `lgsp serve` reads it."""
    ours = PUBLIC.issue("Trục")
    (files.folder / "key.pem").write_bytes(ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (files.folder / "key.pem").chmod(0o600)
    (files.folder / "government.crl").write_bytes(der(GOVERNMENT.crl()))
    defaults = {
        "public": files(PUBLIC), "government": files(GOVERNMENT), "crl": files.folder / "government.crl",
        "domain": "government", "signer": files(GOVERNMENT.issue()), "key": files.folder / "key.pem",
        "certificate": files(ours), "public_more": "", "endpoint_more": "",
    }  # fmt: skip
    path = files.folder / "gateway.toml"
    path.write_text(CONFIGURATION.format(**{**defaults, **values}), encoding="utf-8")
    return load(path)


def found_in(settings: Settings) -> dict[str, list[str]]:
    # The parts of `configuration` that are about trust: contracts, for example, are the same each time.
    parts = (diagnosis._files, diagnosis._trust, diagnosis._endpoints)
    assert set(parts) <= set(diagnosis._PARTS)
    found = [finding for part in parts for finding in part(settings, DATABASES)]
    findings = [one for one in found if "trust" in one.subject or "tax" in one.subject]
    assert all(one.next for one in findings if one.level != "ok")
    return {
        level: [f"{one.subject}: {one.text}" for one in findings if one.level == level]
        for level in ("ok", "warning", "problem")
    }


def test_a_sound_configuration_is_found_so_and_serves(files: Files) -> None:
    settings = written(files)
    found = found_in(settings)
    assert found["problem"] == []
    assert any("trust.government" in line and "revocation by files" in line for line in found["ok"])
    assert [line.partition(":")[0] for line in found["warning"]] == ["trust.public"]  # no endpoint names it
    assert compile_codecs(served(DATABASES, settings.endpoints), settings.endpoints, domains=domains_of(settings))
    with pytest.raises(ConfigurationError, match="there is no section"):
        compile_codecs(served(DATABASES, settings.endpoints), settings.endpoints, domains=NO_DOMAINS)


def domains_of(settings: Settings) -> TrustDomains:
    return TrustDomains.load(settings.trust)


@pytest.mark.parametrize(
    ("values", "level", "said"),
    [
        ({"domain": "goverment"}, "problem", "there is no section [trust.goverment]; known are public, government"),
        ({"public": "missing.pem"}, "problem", "missing.pem"),
        ({"crl": "missing.crl"}, "problem", "missing.crl"),
        ({"public_more": 'revocation = "off"'}, "warning", "without asking whether they were revoked"),
        ({"public_more": 'when_silent = "accept"'}, "warning", "believed as indeterminate"),
        ({"public_more": "from_certificates = false"}, "problem", "nobody can be asked"),
        ({"public_more": 'from_certificates = false\nwhen_silent = "accept"'}, "warning", "nobody can be asked"),
        ({"endpoint_more": 'trust = ["1.pem"]'}, "problem", "also trust or crl"),
    ],
)
def test_each_mistake_is_found_with_the_next_step(files: Files, values: dict[str, str], level: str, said: str) -> None:
    assert any(said in line for line in found_in(written(files, **values))[level])


@pytest.mark.parametrize(
    "wrong",
    [
        'crl_urls = ["ftp://crl.example/"]', 'ocsp_url = "file:///etc/passwd"', 'ocsp_url = "http://u:p@ocsp.example"',
        'when_silent = "ignore"', 'revocation = "sometimes"', "anchors2 = []",
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused_by_name(files: Files, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"trust\.public\.{wrong.split(' ')[0]}"):
        written(files, public_more=wrong)


def test_a_list_of_another_authority_is_named(files: Files) -> None:
    (files.folder / "wrong.crl").write_bytes(der(PUBLIC.crl()))
    found = found_in(written(files, crl=str(files.folder / "wrong.crl")))
    assert any(
        "wrong.crl" in line and "not signed by one of the given authorities" in line for line in found["problem"]
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"crl": "garbage"}, "holds no revocation lists"),
        ({"crl": "missing.crl"}, "No such file"),
        ({"government": "garbage"}, "holds no certificates"),
    ],
)
def test_a_file_of_a_domain_that_cannot_be_used_is_one_finding(files: Files, values: dict[str, str], said: str) -> None:
    (files.folder / "garbage").write_bytes(b"no list")
    ((setting, name),) = values.items()
    (line,) = found_in(written(files, **{setting: str(files.folder / name)}))["problem"]
    assert line.startswith("trust.")
    assert f"{files.folder / name}" in line
    assert said in line


def test_the_directory_of_what_was_fetched_must_be_one(files: Files) -> None:
    (files.folder / "revocation").write_bytes(b"")
    findings = list(trust_findings(written(files)))
    assert [one.subject for one in findings if one.level == "problem"] == ["revocation.directory"]
    assert json.dumps([one.text for one in findings])
