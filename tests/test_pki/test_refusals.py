"""What `lgsp pki` refuses, and that it says what to do instead."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.test_pki.conftest import Office

SIGNER = ("--common-name", "Trục LGSP", "--agency", "H26.12")


def test_a_key_without_a_passphrase_wants_none(office: Office) -> None:
    failed = office.run("crl", "--passphrase", "env:PKI_WORDS")
    assert (failed.exit_code, "is not encrypted: give no passphrase" in failed.stderr) == (1, True)


@pytest.mark.parametrize("file", ["pki.json", "root.pem", "issuing.pem"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"policies": []}', '{"policies": [], "x": 1}'])
def test_a_broken_file_of_the_authority_is_named(office: Office, file: str, content: str) -> None:
    (office.directory / file).write_text(content)
    for command in ("list", "crl"):
        failed = office.run(command)
        assert (failed.exit_code, f"{file} " in failed.stderr, "put back a copy" in failed.stderr) == (1, True, True)


def test_what_cannot_be_written_is_said_with_the_next_step(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    below = Office(office.directory / "pki.json" / "ca").run("init", "--organization", "X")
    assert (below.exit_code, "correct the path" in below.stderr, "Errno" in below.stderr) == (1, True, False)
    for number, step in ((errno.ENOSPC, "make room"), (errno.EROFS, "as the owner")):

        def full(_: int, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", full)
        failed = office.run("issue", "tax", *SIGNER)
        assert (failed.exit_code, step in failed.stderr, "Errno" in failed.stderr) == (1, True, False)
        assert str(office.directory) in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Tax", *SIGNER), "small letters"),
        (("tax",), "--common-name"),
        (("tax", "--common-name", "x", "--agency", "nowhere"), "agency code"),
        (("tax", "--common-name", "Bà A 001090123456"), "number of a person"),
        (("tax", "--common-name", "x" * 65), "65 characters"),
        (("gw", "--kind", "tls-server", *SIGNER), "--host"),
        (("gw", "--kind", "tls-server", *SIGNER, "--host", "gw.exämple"), "give --host gw.xn--exmple-cua"),
        *(
            (("gw", "--kind", "tls-server", *SIGNER, "--host", host), "no name or address")
            for host in ("bad host", "999.1.1.1", "a..b", "", "-a.vn", "a.vn.", "fe80::1%eth0", "a\n", "x" * 64, "*")
        ),
        (("tax", *SIGNER, "--host", "gw.example"), "--host is for --kind tls-server"),
    ],
)
def test_what_cannot_be_issued_is_refused_with_the_reason(
    office: Office, arguments: tuple[str, ...], told: str
) -> None:
    refused = office.run("issue", *arguments)
    assert refused.exit_code == 2
    assert told in refused.stderr
    assert office.did("list") == []
    assert not list(office.directory.glob("issued/*.key"))


def test_other_directories_hold_no_authority(tmp_path: Path) -> None:
    for command, arguments in (("list", ()), ("crl", ()), ("issue", ("a", *SIGNER)), ("revoke", ("a",))):
        refused = Office(tmp_path).run(command, *arguments)
        assert refused.exit_code == 2
        assert "lgsp pki init" in refused.stderr
