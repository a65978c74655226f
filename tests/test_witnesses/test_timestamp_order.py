"""Time-stamps with a chain of certificates: openssl sends it in any order, which CMS allows and DER does not."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from security.audit.timestamp_der import in_order
from security.audit.timestamps import StampRejected, hold, question, stamped_at
from security.audit.witnessed import WITNESSED
from tests.test_witnesses.authority import Authority, an_authority, answering
from tests.test_witnesses.sites import Site

TEXT = "lgsp.example/log\n1\nAAAA\n"


def element(tag: int, content: bytes) -> bytes:
    size = (len(content).bit_length() + 7) // 8
    length = bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | size]) + len(content).to_bytes(size)
    return bytes([tag]) + length + content


def content_of(octets: bytes) -> tuple[bytes, bytes]:
    """The content of the first element, and what stands behind it."""
    start = 2 + (octets[1] & 0x7F if octets[1] & 0x80 else 0)
    length = int.from_bytes(octets[2:start]) if octets[1] & 0x80 else octets[1]
    return octets[start : start + length], octets[start + length :]


def parts_of(content: bytes) -> list[bytes]:
    found = []
    while content:
        rest = content_of(content)[1]
        found.append(content[: len(content) - len(rest)])
        content = rest
    return found


class Stamp:
    """One genuine response taken apart, to be put together with other sets."""

    def __init__(self, authority: Authority) -> None:
        asked, self.nonce = question(TEXT)
        self.whole = authority.answer(asked)
        self.roots = x509.load_pem_x509_certificates(authority.anchor.read_bytes())
        self.status, token = parts_of(content_of(self.whole)[0])
        self.kind, explicit = parts_of(content_of(token)[0])
        *self.before, sent, self.signers = parts_of(content_of(content_of(explicit)[0])[0])
        self.certificates = parts_of(content_of(sent)[0])
        key = load_pem_private_key((authority.directory / "tsa.key").read_bytes(), None)
        now = datetime.now(UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.roots[0].subject).last_update(now)
        self.lists = [
            made.next_update(now + timedelta(days=days)).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]
            for days in (1, 2, 3)
        ]

    def of(self, certificates: Sequence[bytes], lists: Sequence[bytes] = (), signers: bytes | None = None) -> bytes:
        sets = element(0xA0, b"".join(certificates)) + (element(0xA1, b"".join(lists)) if lists else b"")
        return self.around(sets + (signers or self.signers))

    def around(self, behind: bytes) -> bytes:
        signed = element(0xA0, element(0x30, b"".join(self.before) + behind))
        return element(0x30, self.status + element(0x30, self.kind + signed))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return an_authority(tmp_path_factory.mktemp("authority") / "chain", between=2)


def chain(authority: Authority) -> list[Path]:
    return [authority.anchor, *(authority.directory / f"between-{number}.pem" for number in range(2))]


@pytest.fixture(scope="module")
def stamp(made: Authority) -> Stamp:
    made.send(*chain(made))
    return Stamp(made)


def openssl_verifies(authority: Authority, response: Path, text: str) -> bool:
    given_digest = ["-digest", sha256(text.encode()).hexdigest()]
    command = ["openssl", "ts", "-verify", "-in", response, *given_digest, "-CAfile", authority.anchor]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Verification: OK" in told.stdout + told.stderr


def test_every_order_that_openssl_sends_is_read(made: Authority, tmp_path: Path) -> None:
    roots = x509.load_pem_x509_certificates(made.anchor.read_bytes())
    asked, nonce = question(TEXT)
    for some in (chain(made)[1:], chain(made), [*chain(made), made.directory / "tsa.pem"]):
        for order in list(permutations(some))[:6]:
            made.send(*order)
            answer = made.answer(asked)
            stamped_at(answer, TEXT, roots, nonce)
            hold(answer, TEXT)
            (tmp_path / "token.tsr").write_bytes(answer)
            assert openssl_verifies(made, tmp_path / "token.tsr", TEXT)
    # The certificates between are needed: in order or not, a chain with a gap leads nowhere.
    made.send(chain(made)[2], made.anchor)
    with pytest.raises(StampRejected):
        stamped_at(made.answer(asked), TEXT, roots, nonce)


async def test_what_is_kept_is_what_the_authority_sent(site: Site, made: Authority, tmp_path: Path) -> None:
    # Descending, which is never the order of DER.
    ders = {path: x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER) for path in chain(made)}
    made.send(*sorted(ders, key=lambda path: ders[path], reverse=True))
    sent: list[bytes] = []

    def remembered(answer: bytes) -> bytes:
        sent.append(answer)
        return answer

    made.spoil = remembered
    async with answering(made):
        text = f'[witness.tsa]\nkind = "rfc3161"\nurl = "{made.url}"\nanchors = ["{made.anchor}"]\n'
        site.file.write_text(site.file.read_text() + text)
        await site.grow(2)
    made.spoil = bytes
    code, shown = await site.verify("--against", "tsa")
    assert (code, shown["valid"], shown["against"][0]["agrees_up_to"]) == (0, True, 2)  # type: ignore[index]
    rows = select(WITNESSED.c.token, WITNESSED.c.note).where(WITNESSED.c.token.is_not(None)).order_by(WITNESSED.c.size)
    kept = await site.storage.read(lambda connection: connection.execute(rows).all())
    assert [row.token for row in kept] == sent
    for token, note in kept:
        (tmp_path / "token.tsr").write_bytes(token)
        assert openssl_verifies(made, tmp_path / "token.tsr", note.partition("\n\n")[0] + "\n")


@given(st.data())
@settings(max_examples=60)
def test_any_order_gives_the_same_verdict(stamp: Stamp, data: st.DataObject) -> None:
    certificates = data.draw(st.permutations(stamp.certificates))
    lists = data.draw(st.permutations(stamp.lists[: data.draw(st.integers(0, 3))]))
    response = stamp.of(certificates, lists)
    hold(response, TEXT)
    at = stamped_at(response, TEXT, stamp.roots, stamp.nonce)
    assert at == stamped_at(stamp.whole, TEXT, stamp.roots, stamp.nonce)
    # The signature stands at the very end.
    bit = data.draw(st.integers(0, 100 * 8 - 1))
    place = len(response) - 1 - bit // 8
    spoilt = response[:place] + bytes([response[place] ^ (1 << bit % 8)]) + response[place + 1 :]
    for verdict in (lambda: hold(spoilt, TEXT), lambda: stamped_at(spoilt, TEXT, stamp.roots, stamp.nonce)):
        with pytest.raises(StampRejected, match="signature does not hold"):
            verdict()
    for certificate in set(certificates):
        without = [each for each in certificates if each != certificate]
        if certificate != stamp.roots[0].public_bytes(Encoding.DER):
            with pytest.raises(StampRejected):
                stamped_at(stamp.of(without, lists), TEXT, stamp.roots, stamp.nonce)


@given(st.data())
@settings(max_examples=150)
def test_hostile_bytes_are_refused_and_nothing_else(stamp: Stamp, data: st.DataObject) -> None:
    response = bytearray(stamp.of(stamp.certificates[::-1]))
    for _ in range(data.draw(st.integers(0, 4))):
        # Half of them where the structures begin.
        place = data.draw(st.one_of(st.integers(0, 180), st.integers(0, len(response) - 1)))
        put = data.draw(st.one_of(st.binary(max_size=4), st.sampled_from([b"\x80", b"\xa0\x80", b"\x30\x84", b"\xff"])))
        response[place : place + data.draw(st.integers(0, 4))] = put
    hostile = data.draw(st.sampled_from([bytes(response), bytes(response[: len(response) // 2]), b"\xa0" * 3000]))
    try:
        hold(hostile, TEXT)
    except StampRejected:
        with pytest.raises(StampRejected):
            stamped_at(hostile, TEXT, stamp.roots, stamp.nonce)
    try:
        at = stamped_at(hostile, TEXT, stamp.roots, stamp.nonce)
    except StampRejected:
        return
    assert at == stamped_at(stamp.whole, TEXT, stamp.roots, stamp.nonce)


def test_what_is_not_understood_stays_as_it_came_and_is_named(stamp: Stamp) -> None:
    unsorted = sorted(stamp.certificates, reverse=True)
    inner = b"".join(unsorted)
    assert in_order(stamp.of(unsorted)) == stamp.of(sorted(unsorted))
    longer = b"\xa0\x83" + len(inner).to_bytes(3) + inner
    cases = [
        (stamp.around(b"\xa0\x80" + inner + b"\0\0" + stamp.signers), "InvalidLength in SignedData::certificates"),
        (stamp.around(longer + stamp.signers), "InvalidLength in SignedData::certificates"),
        (b"\x30\x80" + content_of(stamp.whole)[0] + b"\0\0", "InvalidLength in TimeStampResp"),
        (stamp.around(element(0xA0, b"\x1f" + inner) + stamp.signers), "in SignedData::certificates"),
        (stamp.of(unsorted)[:-1], "it is no time-stamp response"),
        (stamp.of(sorted(unsorted)) + b"\0", "it is no time-stamp response"),
        (b"", "it is no time-stamp response"),
        (stamp.of(sorted(unsorted), signers=element(0x30, b"")), "UnexpectedTag in SignedData::signer_infos"),
    ]
    for response, why in cases:
        assert in_order(response) == response
        with pytest.raises(StampRejected, match=why):
            stamped_at(response, TEXT, stamp.roots)
