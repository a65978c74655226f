"""When what is configured ends: old and new side by side, short-lived lists, what has not begun."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Domain, Endpoint, Settings
from routes.expiry import WARN_DAYS, Expiry, certificate_expiries
from routes.expiry_findings import ends
from routes.findings import Finding
from tests.test_doctor.papers import Paper, paper, revocations

NOW = datetime.now(UTC)


def expiries(**endpoint: Any) -> list[Expiry]:
    settings = Settings(endpoints={"land": Endpoint(url="http://127.0.0.1:1", **endpoint)})
    return list(certificate_expiries(settings, NOW))


def found(**endpoint: Any) -> list[Finding]:
    return list(ends(expiries(**endpoint), NOW))


def test_a_successor_in_the_same_file_takes_over(tmp_path: Path) -> None:
    old, new = paper("signer", ends=5), paper("signer", begins=-1, ends=300)
    (alone,) = found(signer=old.file(tmp_path))
    assert (alone.level, alone.code) == ("warning", "certificate-expires-soon")
    assert "beside the old one" in (alone.next or "")
    assert found(signer=old.file(tmp_path, new)) == []
    assert found(signer=new.file(tmp_path, old)) == []


def test_a_successor_in_another_file_of_the_same_setting_takes_over(tmp_path: Path) -> None:
    old, new = paper("CA", ca=True, ends=5), paper("CA", ca=True, begins=-1, ends=300)
    other = paper("Other CA", ca=True, ends=12)
    assert found(trust=(old.file(tmp_path), new.file(tmp_path))) == []
    (finding,) = found(trust=(old.file(tmp_path), new.file(tmp_path), other.file(tmp_path)))
    assert str(other.file(tmp_path)) in (finding.next or "")


def test_a_successor_that_comes_too_late_is_none(tmp_path: Path) -> None:
    old, late = paper("signer", ends=5), paper("signer", begins=8, ends=300)
    (finding,) = found(signer=old.file(tmp_path, late))
    assert finding.code == "certificate-expires-soon"


def test_after_a_gap_in_the_past_the_later_one_counts(tmp_path: Path) -> None:
    old, new = paper("signer", ends=-20), paper("signer", begins=-2, ends=300)
    assert found(signer=old.file(tmp_path, new)) == []


def test_a_key_of_ours_belongs_to_the_first_certificate_only(tmp_path: Path) -> None:
    old, new = paper("gateway", ends=5), paper("gateway", begins=-1, ends=300)
    (finding,) = found(certificate=old.file(tmp_path, new))
    assert (finding.code, "and its key" in (finding.next or "")) == ("certificate-expires-soon", True)
    assert found(certificate=new.file(tmp_path, old)) == []


def test_what_a_trust_domain_names_ends_too(tmp_path: Path) -> None:
    root = paper("Root CA", ca=True, ends=12)
    domain = Domain(
        anchors=(root.file(tmp_path),),
        intermediates=(paper("CA", root, ca=True, ends=-1).file(tmp_path),),
        crl=(listed(tmp_path, root, -9, -2),),
    )
    settings = Settings(trust={"public": domain})
    findings = {one.subject: one.code for one in ends(list(certificate_expiries(settings, NOW)), NOW)}
    assert findings == {
        "trust.public.anchors": "certificate-expires-soon",
        "trust.public.intermediates": "certificate-expired",
        "trust.public.crl": "crl-stale",
    }


def test_where_only_the_subject_counts_its_end_is_the_source_s(tmp_path: Path) -> None:
    old, root = paper("signer", ends=-1), paper("Root CA", ca=True)
    (pinned,) = found(signer=old.file(tmp_path))
    assert (pinned.level, pinned.code) == ("problem", "certificate-expired")
    (named,) = found(signer=old.file(tmp_path), trust=(root.file(tmp_path),))
    assert (named.level, named.code) == ("warning", "certificate-expired")
    assert "ask the source" in (named.next or "")


def test_a_certificate_that_has_not_begun(tmp_path: Path) -> None:
    (finding,) = found(signer=paper("signer", begins=3).file(tmp_path))
    assert (finding.level, finding.code) == ("problem", "certificate-not-yet-valid")
    assert "timedatectl" in (finding.next or "")


def listed(directory: Path, issuer: Paper, since: float, until: float) -> Path:
    path = directory / f"{since}{until}.crl"
    path.write_bytes(revocations(issuer, since=since, until=until).public_bytes(Encoding.DER))
    return path


@pytest.mark.parametrize(
    ("since", "until", "code"),
    [
        (-1, 6, None),
        (-6, 1, "crl-expires-soon"),
        (-7, -0.1, "crl-stale"),
        (-300, 29, "crl-expires-soon"),
        (0.1, 7, "crl-not-yet-valid"),
    ],
)
def test_a_list_warns_in_the_last_quarter_of_its_life(
    tmp_path: Path, since: float, until: float, code: str | None
) -> None:
    authority = paper("CA", ca=True)
    findings = found(crl=(listed(tmp_path, authority, since, until),))
    assert [finding.code for finding in findings] == ([code] if code else [])
    assert all(
        "fetch the issuer's newest list" in (one.next or "") for one in findings if one.code != "crl-not-yet-valid"
    )


def test_the_newest_list_of_an_issuer_counts(tmp_path: Path) -> None:
    authority, other = paper("CA", ca=True), paper("Other CA", ca=True)
    stale, fresh = listed(tmp_path, authority, -9, -2), listed(tmp_path, authority, -1, 6)
    assert found(crl=(stale, fresh)) == found(crl=(fresh, stale)) == []
    assert [one.code for one in found(crl=(fresh, listed(tmp_path, other, -9, -3)))] == ["crl-stale"]


@given(st.integers(-40 * 86_400, 400 * 86_400), st.sampled_from(["certificate", "key", "client-certificate"]))
def test_a_stage_is_the_nearest_threshold_that_was_passed(seconds: int, kind: Any) -> None:
    expiry = Expiry(kind, "x", NOW + timedelta(seconds=seconds), NOW - timedelta(days=2))
    reached = [days for days in (*WARN_DAYS, 0) if timedelta(seconds=seconds) <= timedelta(days=days)]
    assert expiry.stage(NOW) == (min(reached) if reached else None)
