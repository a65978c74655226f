"""Answers to callers who sign: signed by the gateway, tied to one request, whatever the key is kept in."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import current_thread

import pytest
from lxml import etree
from pydantic import SecretStr

from config.pkcs11_uri import Pkcs11Uri
from config.settings import ConfigurationError, Signing
from schemas.errors import SigningUnavailable
from security.answer_signing import AnswerSigner, answer_key
from security.signature import Rejected, SignaturePolicy, SoapVersion
from security.signature_key import KeySilent, Signer
from security.soap_signature import verify_soap
from security.trust import PinnedTrust
from tests.services import SoftHsm
from tests.test_soap_callers.callers import Holder, files

ASKED = base64.b64encode(bytes(range(64))).decode()
ANSWER = '<a xmlns="urn:lgsp:population:1"><data>Nguyễn &amp; xmlns:u=</data></a>'.encode()


@pytest.fixture
def ours(holder: Holder) -> Holder:
    return Holder.of(holder.key.private, "Trục", since=datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_an_answer_is_tied_to_its_request(ours: Holder, version: SoapVersion) -> None:
    envelope = await AnswerSigner(ours.key).sign(ANSWER, version, ASKED, b'<x xmlns="urn:x">1</x>')
    assert etree.fromstring(envelope).findtext("{*}Header/{urn:x}x") == "1"
    trust, policy = PinnedTrust([ours.certificate]), SignaturePolicy(soap=frozenset({version}))
    verified = verify_soap(envelope, policy, trust, confirms=ASKED)
    assert etree.tostring(verified.element, method="c14n", exclusive=True) == ANSWER
    with pytest.raises(Rejected) as other:
        verify_soap(envelope, policy, trust, confirms=base64.b64encode(b"another").decode())
    assert other.value.reason == "not-answer-to-request"


async def test_without_a_key_nothing_is_promised(p256: Holder, tmp_path: Path) -> None:
    signer = AnswerSigner(answer_key(Signing()))
    with pytest.raises(SigningUnavailable) as before:
        signer.require()
    assert not before.value.retryable
    with pytest.raises(SigningUnavailable):
        await signer.sign(ANSWER, "1.1", ASKED)
    signer.take(answer_key(files(p256, tmp_path)))
    signer.require()
    assert await signer.sign(ANSWER, "1.1", ASKED)
    signer.take(None)
    with pytest.raises(SigningUnavailable):
        signer.require()


def test_what_is_wrong_with_the_section_is_said(holders: dict[str, Holder], tmp_path: Path) -> None:
    right = files(holders["p256"], tmp_path)
    other = tmp_path / "other.pem"
    other.write_text(holders["rsa"].pem)
    for wrong, why in [
        (right.model_copy(update={"key": None}), "certificate and no key"),
        (right.model_copy(update={"certificate": None}), "needs the certificate"),
        (right.model_copy(update={"certificate": other}), "belongs to another private key"),
        (right.model_copy(update={"key": tmp_path / "nowhere.pem"}), "nowhere.pem"),
    ]:
        with pytest.raises(ConfigurationError, match=rf"\[signing\].*{why}"):
            answer_key(wrong)
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"\[signing\].*key.pem"):
        answer_key(right)


@pytest.fixture
def device() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, thread_name_prefix="device") as pool:
        yield pool


async def test_a_key_in_a_device_is_waited_for_in_its_thread(p256: Holder, device: ThreadPoolExecutor) -> None:
    signed_in: list[str] = []

    def sign(data: bytes) -> bytes:
        signed_in.append(current_thread().name)
        return p256.key.sign(data)

    slow = Signer(
        certificate=p256.certificate, algorithm=p256.key.algorithm, token=p256.key.token, sign=sign, thread=device
    )
    assert await AnswerSigner(slow).sign(ANSWER, "1.1", ASKED)
    assert [name.startswith("device") for name in signed_in] == [True]


@pytest.mark.parametrize("threaded", [True, False])
async def test_a_silent_key_is_our_fault_and_passes(p256: Holder, device: ThreadPoolExecutor, threaded: bool) -> None:
    def silent(_: bytes) -> bytes:
        raise KeySilent("the token does not answer")

    thread = device if threaded else None
    key = p256.key
    signer = Signer(certificate=key.certificate, algorithm=key.algorithm, token=key.token, sign=silent, thread=thread)
    with pytest.raises(SigningUnavailable) as failure:
        await AnswerSigner(signer).sign(ANSWER, "1.1", ASKED)
    assert (failure.value.retryable, failure.value.retry_after) == (True, 1)


async def test_answers_are_signed_on_a_token(softhsm: SoftHsm, ours: Holder, tmp_path: Path) -> None:
    found = files(ours, tmp_path)
    assert isinstance(found.key, Path)
    token = f"answers-{ours.key.algorithm.kind}-{ours.key.private.key_size}"
    softhsm.token(token)
    softhsm.import_key(token, found.key, "answers", "01")
    uri = Pkcs11Uri.parse(softhsm.uri(token, "answers"))
    signer = AnswerSigner(answer_key(Signing(key=uri, certificate=found.certificate, key_pin=SecretStr(SoftHsm.PIN))))
    envelope = await signer.sign(ANSWER, "1.2", ASKED)
    assert verify_soap(envelope, SignaturePolicy(), PinnedTrust([ours.certificate]), confirms=ASKED).confirms == (
        ASKED,
    )
