"""`lgsp signature verify` from outside: verdicts, whose word counts, odd files, wrong use."""

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from commands import app
from security.soap_signing import sign_soap_parts, text_header
from security.xml_signature import sign_enveloped
from tests.test_commands.conftest import SCRIPT, quick
from tests.test_signatures.conftest import DAY, NOW, Pki

AT = "2026-11-22T15:00:00+07:00"
PAYLOAD = b'<q:Answer xmlns:q="urn:q"><q:Name>genuine</q:Name></q:Answer>'
DOCUMENT = b'<Answer requestId="r-1" issuedAt="2026-11-22T08:00:00Z"><Sheet>12</Sheet></Answer>'
SILENT = dict.fromkeys(("signer", "certificate", "signed_at", "algorithm", "covered", "soap"))


class Desk:
    """Messages and certificates as files in one directory, and the command over them."""

    def __init__(self, pki: Pki, folder: Path) -> None:
        self.pki = pki
        self.folder = folder
        self.key = pki.signer("rsa")
        self.trust = self.pem("ca", pki.root.certificate)
        self.message = sign_soap_parts(PAYLOAD, self.key, now=NOW).envelope

    def file(self, name: str | bytes, content: bytes) -> str:
        path = self.folder / os.fsdecode(name)
        path.write_bytes(content)
        return str(path)

    def pem(self, name: str, *certificates) -> str:
        return self.file(f"{name}.pem", b"".join(one.public_bytes(Encoding.PEM) for one in certificates))

    def verify(self, *files: str, at: str | None = AT, code: int = 0, **options: str):
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        if "trust" not in options:
            words += ["--trust", self.trust]
        if at:
            words += ["--at", at]
        result = quick("signature", "verify", *files, *words, "--json")
        assert result.exit_code == code, result.output
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert [line["file"] for line in lines] == list(files)
        return lines

    def reason(self, content: bytes, **options) -> str | None:
        """The reason of the verdict on one message, None where it is valid."""
        name = self.file("message.xml", content)
        code = options.pop("code", None)
        result = quick("signature", "verify", name, "--at", options.pop("at", AT), "--json",
                       *(word for option, value in {"trust": self.trust, **options}.items()
                         for word in (f"--{option}", value)))  # fmt: skip
        (line,) = map(json.loads, result.stdout.splitlines())
        assert result.exit_code == (code if code is not None else not line["valid"])
        assert (line["reason"] is None) == line["valid"] == (line["detail"] is None)
        return line["reason"]


@pytest.fixture
def desk(pki, tmp_path) -> Desk:
    return Desk(pki, tmp_path)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_valid_message_is_told_whole(desk, version):
    blocks = [text_header("urn:h", "Hỏi", "x")]
    message = sign_soap_parts(PAYLOAD, desk.key, now=NOW, version=version, headers=blocks, confirms="QUJD").envelope
    name = desk.file("a.xml", message)
    certificate = desk.key.certificate
    digest = certificate.fingerprint(certificate.signature_hash_algorithm).hex()
    assert desk.verify(name) == [{
        "file": name, "valid": True, "reason": None, "detail": None,
        "signer": certificate.subject.rfc4514_string(), "certificate": f"sha256:{digest}",
        "signed_at": "2026-11-22T08:00:00Z", "algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "covered": ["Body", "Timestamp", "{urn:h}Hỏi",
                    "{http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd}SignatureConfirmation"],
        "soap": version,
    }]  # fmt: skip
    text = quick("signature", "verify", name, "--trust", desk.trust, "--at", AT)
    assert text.exit_code == 0
    assert text.stdout == (
        f"{name}: valid: SOAP {version} signed by {certificate.subject.rfc4514_string()} at 2026-11-22T08:00:00Z, "
        f"certificate sha256:{digest}\n"
    )


def test_each_file_is_judged_by_itself(desk):
    good = desk.file("good.xml", desk.message)
    bad = desk.file("bad.xml", desk.message.replace(b"genuine", b"forged!"))
    found = desk.verify(bad, good, good, "/nowhere/at.xml", bad, code=2)
    assert [line["reason"] for line in found] == ["altered", None, None, "malformed", "altered"]
    assert "No such file" in found[3]["detail"]
    assert found[0] == {"file": bad, "valid": False, "reason": "altered", "detail": found[0]["detail"], **SILENT}
    assert [line["valid"] for line in desk.verify(bad, good, code=1)] == [False, True]


def test_land_s_documents_have_a_profile_of_their_own(desk):
    signed = sign_enveloped(DOCUMENT, desk.key)
    name = desk.file("land.xml", signed)
    (found,) = desk.verify(name, profile="enveloped")
    assert (found["covered"], found["soap"], found["signed_at"]) == (["document"], None, "2026-11-22T08:00:00Z")
    assert desk.reason(signed) == "malformed"
    assert desk.reason(desk.message, profile="enveloped") == "malformed"
    assert desk.reason(signed.replace(b">12<", b">13<"), profile="enveloped") == "altered"


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (AT, None),
        ("2026-11-22t08:00:00z", None),
        ("2026-11-22T08:05:59.999Z", None),
        ("2026-11-22T03:06:00-05:00", "stale"),
        ("2026-11-22T07:58:59Z", "stale"),
        ("2027-11-22T08:00:00Z", "expired"),
        ("2026-01-01T00:00:00Z", "expired"),
        ("9999-12-31T23:59:59Z", "expired"),
        ("0001-01-01T00:00:00Z", "expired"),
    ],
)
def test_times_are_judged_as_of_the_given_instant(desk, at, reason):
    assert desk.reason(desk.message, at=at) == reason


def test_without_a_time_it_is_judged_now(desk):
    name = desk.file("old.xml", desk.message)
    (found,) = desk.verify(name, at=None, code=1)
    assert found["reason"] in ("stale", "expired")
    text = quick("signature", "verify", name, "--trust", desk.trust)
    assert "--at TIME" in text.stdout
    fresh = desk.pki.signer("p256", before=NOW - 99 * DAY, after=NOW + 36500 * DAY)
    anchor = desk.pem("self", fresh.certificate)
    assert desk.verify(desk.file("new.xml", sign_soap_parts(PAYLOAD, fresh).envelope), at=None, trust=anchor)


def test_a_signer_without_end_cannot_break_the_calendar(desk):
    from datetime import datetime

    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=NOW.tzinfo)
    key = desk.pki.signer("p256", before=NOW, after=end)
    trust = desk.pem("endless", key.certificate)
    last = sign_soap_parts(PAYLOAD, key, now=end - timedelta(seconds=2), lifetime=timedelta(seconds=1)).envelope
    assert desk.reason(last, trust=trust) == "stale"
    assert desk.reason(last, trust=trust, at="9999-12-31T23:59:58Z") == "stale"


def test_anchors_intermediates_and_the_expected_signer(desk):
    pki = desk.pki
    root, stranger = pki.authority("CA gốc"), pki.authority("CA gốc")
    middle = pki.authority("CA trung gian", root)
    key = pki.signer("p256", issuer=middle)
    other = pki.signer("p384", issuer=middle)
    message = sign_soap_parts(PAYLOAD, key, now=NOW).envelope
    signer = desk.pem("signer", key.certificate)

    def told(*anchors, **options):
        return desk.reason(message, trust=desk.pem("anchors", *anchors), **options)

    assert told(root.certificate) == "untrusted"
    assert told(root.certificate, middle.certificate) is None
    assert told(middle.certificate) is None
    assert told(middle.certificate, root.certificate, signer=signer) is None
    assert told(stranger.certificate, root.certificate, middle.certificate) is None
    # The intermediate is believed because of its issuer, which is another one here.
    assert told(stranger.certificate, pki.root.certificate) == "untrusted"
    assert told(root.certificate, middle.certificate, signer=desk.pem("other", other.certificate)) == "untrusted"
    # Both files: the one that the command line repeats adds to the first.
    name = desk.file("message.xml", message)
    roots, middles = desk.pem("roots", root.certificate), desk.pem("middles", middle.certificate)
    assert quick("signature", "verify", name, "--trust", roots, "--trust", middles, "--at", AT).exit_code == 0


def test_an_intermediate_is_not_an_anchor_where_its_issuer_is_given(desk):
    pki = desk.pki
    expired = pki.authority("CA cũ", before=NOW - 9 * DAY, after=NOW - DAY)
    middle = pki.authority("CA trung gian", expired)
    message = sign_soap_parts(PAYLOAD, pki.signer("p256", issuer=middle), now=NOW).envelope
    assert desk.reason(message, trust=desk.pem("both", expired.certificate, middle.certificate)) == "expired"
    assert desk.reason(message, trust=desk.pem("alone", middle.certificate)) is None


def test_a_certificate_of_no_authority_is_believed_itself_and_nobody_below_it(desk):
    pki = desk.pki
    trust = desk.pem("leaf", desk.key.certificate)
    assert desk.reason(desk.message, trust=trust) is None
    assert desk.reason(desk.message, trust=trust, signer=trust) is None
    assert desk.reason(desk.message, trust=desk.pem("two", pki.root.certificate, desk.key.certificate)) is None
    from tests.test_signatures.conftest import Authority

    below = pki.signer("p256", "kẻ lạ", issuer=Authority(desk.key.certificate, desk.key.private))
    assert desk.reason(sign_soap_parts(PAYLOAD, below, now=NOW).envelope, trust=trust) == "untrusted"
    late = pki.signer("p256", after=NOW - DAY)
    message = sign_soap_parts(PAYLOAD, late, now=NOW).envelope
    assert desk.reason(message, trust=desk.pem("late", late.certificate)) == "expired"
    assert desk.reason(message, trust=desk.pem("other", pki.signer("p384").certificate)) == "untrusted"
    weak = pki.certificate("yếu", pki.keys["rsa-1024"].public_key())
    assert desk.reason(message, trust=desk.pem("weak", weak)) == "untrusted"


def test_an_authority_signs_messages_only_where_it_is_named_and_may(desk):
    from security.signature_key import SigningKey

    pki = desk.pki
    root, key = pki.root, pki.keys["p256"]
    message = sign_soap_parts(PAYLOAD, SigningKey.of(root.key, root.certificate), now=NOW).envelope
    assert desk.reason(message) == "untrusted"
    assert desk.reason(message, signer=desk.trust) is None
    # Where keyUsage says certificates only, to be trusted for these is no reason to be believed in messages. What
    # OpenSSL makes of `req -x509` calls itself an authority and says nothing of its use.
    for usage, reason in ({"issues": True, "sign": False}, "untrusted"), ({"usage": False}, None):
        own = pki.certificate("tự cấp", key.public_key(), ca=True, **usage)
        message = sign_soap_parts(PAYLOAD, SigningKey.of(key, own), now=NOW).envelope
        assert desk.reason(message) == "untrusted"
        trusted = desk.pem("both", root.certificate, own)
        assert desk.reason(message, trust=trusted, signer=desk.pem("own", own)) == reason


def test_a_certificate_that_may_not_sign_is_not_believed_because_it_is_named(desk):
    from security.signature_key import SigningKey

    key = desk.pki.keys["p256"]
    wrong = desk.pki.certificate("mã hóa", key.public_key(), sign=False)
    message = sign_soap_parts(PAYLOAD, SigningKey.of(key, wrong), now=NOW).envelope
    named = desk.pem("wrong", wrong)
    assert desk.reason(message, trust=named) == "untrusted"
    assert desk.reason(message, trust=named, signer=named) == "untrusted"


def test_a_revocation_list_decides_where_it_is_given(desk):
    pki = desk.pki
    good = desk.file("good.crl", pki.crl([]).public_bytes(Encoding.DER))
    revoking = desk.file("bad.crl", pki.crl([desk.key.certificate]).public_bytes(Encoding.PEM))
    assert desk.reason(desk.message, crl=good) is None
    assert desk.reason(desk.message, crl=revoking) == "revoked"
    pinned = desk.pem("pinned", pki.root.certificate, desk.key.certificate)
    assert desk.reason(desk.message, crl=revoking, trust=pinned) == "revoked"
    other, older = pki.authority("CA khác"), pki.crl([], since=NOW - 20 * DAY).public_bytes(Encoding.PEM)
    joined = desk.file(
        "joined.crl", pki.crl([], other).public_bytes(Encoding.PEM) + older + Path(revoking).read_bytes()
    )
    both = desk.pem("both", pki.root.certificate, other.certificate)
    assert desk.reason(desk.message, crl=joined, trust=both) == "revoked"
    cut = desk.file("cut.crl", older + Path(revoking).read_bytes()[:-40])
    assert "whole" in refused(desk, desk.message, "--trust", desk.trust, "--crl", cut)
    other = desk.file("other.crl", pki.crl([], pki.authority("CA lạ")).public_bytes(Encoding.PEM))
    assert "not signed by" in refused(desk, desk.message, "--trust", desk.trust, "--crl", other)


def refused(desk: Desk, message: bytes, *words: str) -> str:
    """What the command says of wrong use; it says it on stderr and nothing on stdout."""
    result = quick("signature", "verify", desk.file("message.xml", message), *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    "at",
    [
        "yesterday",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "1795334400",
        "",
        "2026-13-22T08:00:00Z",
        "٢026-11-22T08:00:00Z",
    ],
)
def test_a_time_needs_its_offset(desk, at):
    assert "offset" in refused(desk, desk.message, "--trust", desk.trust, "--at", at)


@pytest.mark.parametrize("option", ["trust", "signer", "crl"])
def test_what_cannot_be_read_of_the_rest_is_wrong_use(desk, option, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    rubbish = desk.file("rubbish", b"\0\xff rubbish")
    begun = desk.file("begun", b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n")
    for name in ("/nowhere/ca.pem", str(tmp_path), str(fifo), "/dev/zero", rubbish, begun, desk.file("empty", b"")):
        words = ["--trust", desk.trust] if option != "trust" else []
        assert Path(name).name in refused(desk, desk.message, *words, f"--{option}", name)


def test_a_file_of_which_a_part_is_lost_is_wrong_use(desk):
    cut = Path(desk.trust).read_bytes() + Path(desk.trust).read_bytes()[:-40]
    assert "only 1 can be read" in refused(desk, desk.message, "--trust", desk.file("cut.pem", cut))


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_verdicts_that_nobody_gets_to_read_are_not_given(desk, form):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [SCRIPT, "signature", "verify", desk.file("message.xml", desk.message)]
        done = subprocess.run([*command, "--trust", desk.trust, *form], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_certificate_is_expected(desk):
    both = desk.pem("both", desk.key.certificate, desk.pki.root.certificate)
    assert "2 certificates" in refused(desk, desk.message, "--trust", desk.trust, "--signer", both)
    assert "Missing option '--trust'" in refused(desk, desk.message)
    assert "profile" in refused(desk, desk.message, "--trust", desk.trust, "--profile", "pgp")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"rubbish",
        bytes(range(256)) * 64,
        b"\xff\xfe<\0a\0/\0>\0",
        b"<a>" * 100_000,
        b"<" * 4_000_000,
        b"<a" + b"".join(b' a%d=""' % n for n in range(50_000)) + b"/>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        b"<a>" + b"x" * 5_000_000 + b"</a>",
    ],
)
def test_any_content_has_a_verdict(desk, content):
    assert desk.reason(content) == "malformed"


def test_odd_files_never_hold_it_up(desk, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    huge = desk.file("huge", b"")
    os.truncate(huge, 1 << 40)
    names = [str(tmp_path), str(fifo), "/dev/zero", "/dev/tty", huge, "no-such-file", desk.file("good", desk.message)]
    found = desk.verify(*names, code=2)
    assert [line["reason"] for line in found] == ["malformed"] * 6 + [None]
    assert all("no regular file" in line["detail"] for line in found[1:3])
    assert "4194304 bytes" in found[4]["detail"]


def test_any_file_name_makes_one_line_of_text(desk):
    names = [
        desk.file(name, desk.message) for name in (b"\xff\xfe.xml", "hỏi.xml", "a\nb.xml", "\x1b[31m.xml", "-x.xml")
    ]
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for form, encoding in (([], ""), (["--json"], ""), ([], "latin-1")):
        environment = {**os.environ, **poor, "PYTHONIOENCODING": encoding}
        result = subprocess.run(
            [SCRIPT, "signature", "verify", "--trust", desk.trust, "--at", AT, *form, "--", *names],
            capture_output=True, check=False, env=environment, timeout=60,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, b"")
        lines = result.stdout.decode().splitlines()
        assert len(lines) == len(names)
        if form:
            assert [os.fsencode(json.loads(line)["file"]) for line in lines] == list(map(os.fsencode, names))
        else:
            assert all("valid: SOAP" in line and line.isprintable() for line in lines)


def test_standard_input_is_a_file_too(desk):
    for content, reason in ((desk.message, None), (b"", "malformed"), (desk.message * 3000, "malformed")):
        result = CliRunner().invoke(
            app, ["signature", "verify", "-", "--trust", desk.trust, "--at", AT, "--json"], input=content
        )
        assert json.loads(result.stdout)["reason"] == reason
    assert "only once" in quick("signature", "verify", "-", "-", "--trust", desk.trust).stderr
    closed = subprocess.run(
        ["sh", "-c", '"$0" signature verify - --trust "$1" --json <&-', SCRIPT, desk.trust],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert closed.returncode == 2
    assert json.loads(closed.stdout)["file"] == "-"
    assert b"Traceback" not in closed.stderr
