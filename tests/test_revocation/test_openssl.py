"""OpenSSL as an oracle: whatever is believed here, `openssl verify` and `openssl ocsp` believe too.

Where we refuse what OpenSSL takes, the case says so (`stricter`); everywhere else both must agree.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from security.signature import Rejected
from security.trust import AnchoredTrust
from security.trust_ocsp import Unusable, judged, question
from security.trust_revocation import RevocationLists
from tests.test_revocation.issuing import DAY, HOUR, NOW, REVOKED, UNKNOWN, Holder, der, new_key, pem, usage

STRANGE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
KEYS = {
    "p256": new_key(),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
    "rsa-1024": rsa.generate_private_key(65537, 1024),
}


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = shutil.which("openssl")
    assert command is not None, "the tests need openssl (make services)"
    return subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


@dataclass
class Chain:
    """Authorities from the root down, a signer, the lists of all, and what of it is handed over."""

    authorities: list[Holder]
    leaf: Holder
    lists: list[x509.CertificateRevocationList] = field(default_factory=list)
    left_out: tuple[int, ...] = ()

    @property
    def intermediates(self) -> list[x509.Certificate]:
        return [one.certificate for at, one in enumerate(self.authorities) if at and at not in self.left_out]


def chain(
    depth: int, *, key: str = "p256", authority: Any = None, at: int = 1, leaf: Any = None, root: Any = None
) -> Chain:
    """A chain with `depth` intermediates; options go to the authority at that place, to the leaf, to the root."""
    authorities = [Holder.root("Gốc", **(root or {}))]
    for number in range(1, depth + 1):
        more = (authority or {}) if number == at else {}
        authorities.append(authorities[-1].authority(f"Cấp {number}", **more))
    made = Chain(authorities, authorities[-1].issue(key=KEYS[key], **(leaf or {})))
    made.lists = [one.crl() for one in authorities]
    return made


def with_list(depth: int, at: int, *revoked: int, **options: Any) -> Chain:
    """A chain in which the list of the authority at this place revokes what lies so many steps below."""
    made = chain(depth)
    below = [*made.authorities, made.leaf]
    made.lists[at] = made.authorities[at].crl(*(below[at + steps] for steps in revoked), **options)
    return made


def without(depth: int, at: int) -> Chain:
    made = chain(depth)
    made.left_out = (at,)
    return made


def lookalike(depth: int) -> Chain:
    """The issuer's name is right, its key is not."""
    made = chain(depth)
    issuer = made.authorities[-1]
    made.leaf = Holder(issuer.certificate, new_key()).issue(key=KEYS["p256"])
    return made


def without_list(depth: int, at: int) -> Chain:
    made = chain(depth)
    del made.lists[at]
    return made


def forged_list(depth: int) -> Chain:
    made = chain(depth)
    issuer = made.authorities[-1]
    made.lists[-1] = Holder(issuer.certificate, new_key()).crl()
    return made


EXPIRED = {"after": NOW - HOUR}
EARLY = {"before": NOW + HOUR, "after": NOW + DAY}
VIETNAM = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "VN")]))
NAMES = x509.NameConstraints([VIETNAM], None)
CASES: dict[str, tuple[Callable[[], Chain], bool]] = {
    **{f"sound, {depth} intermediates, {key}": (lambda depth=depth, key=key: chain(depth, key=key), False)
       for depth in range(4) for key in ("p256", "p384", "rsa")},
    **{f"expired signer, {depth}": (lambda depth=depth: chain(depth, leaf=EXPIRED), False) for depth in range(3)},
    **{f"early signer, {depth}": (lambda depth=depth: chain(depth, leaf=EARLY), False) for depth in range(2)},
    **{f"expired authority, {at} of 3": (lambda at=at: chain(3, authority=EXPIRED, at=at), False) for at in (1, 2, 3)},
    "early authority": (lambda: chain(2, authority=EARLY), False),
    "expired root": (lambda: chain(1, root=EXPIRED), False),
    **{f"look-alike issuer, {depth}": (lambda depth=depth: lookalike(depth), False) for depth in range(3)},
    **{f"missing authority, {at} of 3": (lambda at=at: without(3, at), False) for at in (1, 2, 3)},
    "authority that is none": (lambda: chain(2, authority={"ca": False, "said": usage("digital_signature")}), False),
    "authority without key usage for it": (lambda: chain(2, authority={"said": usage("crl_sign")}), False),
    "path length 0 with 1 below": (lambda: chain(2, authority={"length": 0}), False),
    "path length 1 with 2 below": (lambda: chain(3, authority={"length": 1}), False),
    "path length 1 with 1 below": (lambda: chain(2, authority={"length": 1}), False),
    "path length 0 with 0 below": (lambda: chain(1, authority={"length": 0}), False),
    "root of path length 0": (lambda: chain(1, root={"length": 0}), False),
    "strange critical extension of the signer": (lambda: chain(1, leaf={"more": [(STRANGE, True)]}), False),
    "strange extension of the signer": (lambda: chain(1, leaf={"more": [(STRANGE, False)]}), False),
    "strange critical extension of an authority": (lambda: chain(2, authority={"more": [(STRANGE, True)]}), False),
    "strange extension of an authority": (lambda: chain(2, authority={"more": [(STRANGE, False)]}), False),
    "signer that only encrypts": (lambda: chain(1, leaf={"said": usage("key_encipherment")}), False),
    "authority as signer": (lambda: chain(1, leaf={"ca": True}), True),
    "name constraints that hold": (lambda: chain(2, authority={"more": [(NAMES, True)]}), True),
    "short key of the signer": (lambda: chain(1, key="rsa-1024"), False),
    "short key of an authority": (lambda: chain(2, authority={"key": KEYS["rsa-1024"]}), False),
    **{f"revoked signer, {depth}": (lambda depth=depth: with_list(depth, depth, 1), False) for depth in range(3)},
    **{f"revoked authority, {at} of 3": (lambda at=at: with_list(3, at - 1, 1), False) for at in (1, 2, 3)},
    "expired list": (lambda: with_list(1, 1, since=NOW - 2 * DAY, until=NOW - DAY), False),
    "early list": (lambda: with_list(1, 1, since=NOW + HOUR, until=NOW + DAY), False),
    "expired list of the root": (lambda: with_list(2, 0, since=NOW - 2 * DAY, until=NOW - DAY), False),
    **{f"missing list, {at} of 2": (lambda at=at: without_list(2, at), False) for at in (0, 1, 2)},
    "forged list": (lambda: forged_list(1), False),
    "list with a strange critical extension": (lambda: with_list(1, 1, more=[(STRANGE, True)]), False),
}  # fmt: skip


def believed(made: Chain) -> bool:
    issuers = [made.authorities[0].certificate, *made.intermediates]
    lists = RevocationLists((), issuers)
    for crl in made.lists:
        try:
            lists.take(crl)
        except ValueError:
            continue
    trust = AnchoredTrust(issuers[:1], subject=None, intermediates=issuers[1:], revocation=lists)
    try:
        trust.accept(der(made.leaf.certificate), NOW)
    except Rejected:
        return False
    return True


def verified(made: Chain, folder: Path) -> tuple[bool, str]:
    (folder / "root.pem").write_bytes(pem(made.authorities[0].certificate))
    (folder / "middle.pem").write_bytes(pem(*made.intermediates) or b"\n")
    (folder / "leaf.pem").write_bytes(pem(made.leaf.certificate))
    (folder / "lists.pem").write_bytes(b"".join(crl.public_bytes(Encoding.PEM) for crl in made.lists))
    middle = ["-untrusted", folder / "middle.pem"] if made.intermediates else []
    done = openssl(
        "verify", "-auth_level", "2", "-purpose", "smimesign", "-attime", str(int(NOW.timestamp())), "-crl_check_all",
        "-CRLfile", folder / "lists.pem", "-CAfile", folder / "root.pem", *middle, folder / "leaf.pem",
    )  # fmt: skip
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_paths_are_judged_as_openssl_judges_them(name: str, tmp_path: Path) -> None:
    make, stricter = CASES[name]
    made = make()
    ours = believed(made)
    theirs, said = verified(made, tmp_path)
    if stricter:
        assert (ours, theirs) == (False, True), said
    else:
        assert ours == theirs, said
    assert ours == (name.startswith(("sound", "path length 1 with 1", "path length 0 with 0", "strange extension")))


ROOT = Holder.root("CA OCSP")
OTHER = Holder.root("CA lạ")


def delegated(issuer: Holder = ROOT, **options: Any) -> Callable[[Holder], bytes]:
    responder = issuer.responder(**options)
    return lambda leaf: ROOT.answer(leaf, responder=responder)


def tampered(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


NAME = ocsp.OCSPResponderEncoding.NAME
ANSWERS: dict[str, tuple[Callable[[Holder], bytes], bool]] = {
    "good": (lambda leaf: ROOT.answer(leaf), False),
    "good, by name": (lambda leaf: ROOT.answer(leaf, encoding=NAME), False),
    "good, SHA-384": (lambda leaf: ROOT.answer(leaf, algorithm=hashes.SHA384()), False),
    "good, named by SHA-1": (lambda leaf: ROOT.answer(leaf, named_by=hashes.SHA1()), False),
    "good, delegated": (delegated(), False),
    "revoked": (lambda leaf: ROOT.answer(leaf, REVOKED), False),
    "revoked, delegated": (lambda leaf: ROOT.answer(leaf, REVOKED, responder=ROOT.responder()), False),
    "unknown": (lambda leaf: ROOT.answer(leaf, UNKNOWN), False),
    "expired": (lambda leaf: ROOT.answer(leaf, since=NOW - 2 * DAY, until=NOW - DAY), False),
    "early": (lambda leaf: ROOT.answer(leaf, since=NOW + HOUR, until=NOW + DAY), False),
    "by a stranger": (lambda leaf: ROOT.answer(leaf, responder=OTHER), False),
    "by a delegate of a stranger": (delegated(OTHER), False),
    "by a delegate that may not": (delegated(purposes=()), False),
    "by a delegate for something else": (delegated(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), False),
    "by an expired delegate": (delegated(after=NOW - HOUR), False),
    "by a delegate that may be revoked": (delegated(nocheck=False), True),
    "about another certificate": (lambda leaf: ROOT.answer(ROOT.issue()), False),
    "about another issuer": (lambda leaf: ROOT.answer(leaf, issuer=OTHER), False),
    "without an end, long ago": (lambda leaf: ROOT.answer(leaf, since=NOW - HOUR, until=None), True),
    "with a strange critical extension": (lambda leaf: ROOT.answer(leaf, more=[(STRANGE, True)]), True),
    "tampered": (lambda leaf: tampered(ROOT.answer(leaf)), False),
    "try later": (
        lambda leaf: der(ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)), False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_judged_as_openssl_judges_them(name: str, tmp_path: Path) -> None:
    make, stricter = ANSWERS[name]
    leaf = ROOT.issue()
    body = make(leaf)
    try:
        answer = judged(body, ROOT.certificate, NOW)
        ours = answer.status if answer.serial == leaf.certificate.serial_number else None
    except Unusable:
        ours = None
    theirs, said = asked(body, leaf, tmp_path)
    if stricter:
        assert (ours, theirs) == (None, "good"), said
    else:
        assert ours == theirs, said


def asked(body: bytes, leaf: Holder, folder: Path) -> tuple[str | None, str]:
    """What `openssl ocsp` says about the certificate, None if it does not believe the answer."""
    (folder / "answer.der").write_bytes(body)
    (folder / "root.pem").write_bytes(pem(ROOT.certificate))
    (folder / "leaf.pem").write_bytes(pem(leaf.certificate))
    done = openssl(
        "ocsp", "-respin", folder / "answer.der", "-issuer", folder / "root.pem", "-cert", folder / "leaf.pem",
        "-CAfile", folder / "root.pem", "-no_nonce", "-validity_period", "60",
    )  # fmt: skip
    said = done.stdout + done.stderr
    line = next((line for line in done.stdout.splitlines() if line.startswith(str(folder / "leaf.pem"))), "")
    proven = "Response verify OK" in said and "WARNING: Status times invalid" not in said
    status = line.partition(": ")[2].strip()
    return (status if proven and status in ("good", "revoked", "unknown") else None), said


def test_a_question_is_what_openssl_asks(tmp_path: Path) -> None:
    middle = Holder.root("Gốc", key=KEYS["rsa"]).authority("Cấp", key=KEYS["p384"])
    leaf = middle.issue()
    (tmp_path / "middle.pem").write_bytes(pem(middle.certificate))
    (tmp_path / "leaf.pem").write_bytes(pem(leaf.certificate))
    done = openssl(
        "ocsp", "-issuer", tmp_path / "middle.pem", "-cert", tmp_path / "leaf.pem", "-no_nonce",
        "-reqout", tmp_path / "asked.der",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked.der").read_bytes() == question(leaf.certificate, middle.certificate)
