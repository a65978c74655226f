"""Answers to callers who sign: signed by the gateway and tied to the request that they answer (chữ ký của trục)."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from config.settings import ConfigurationError, Signing
from schemas.errors import SigningUnavailable, Text
from security.signature import SoapVersion
from security.signature_key import KeyRefused, KeySilent, Signer, load_signer
from security.soap_signing import sign_soap_parts

_SILENT = Text(
    "Khoá ký câu trả lời của cổng không trả lời; hãy gửi lại yêu cầu, ký mới.",
    "The key that signs the gateway's answers does not answer; send the request again, signed anew.",
)
_NONE = Text(
    "Cổng chưa được cấu hình khoá để ký câu trả lời (mục [signing]); hãy gọi không ký, bằng thông tin xác thực khác.",
    "The gateway has no key to sign answers with ([signing] of its configuration): call with another credential, "
    "unsigned.",
)


class SigningNotConfigured(SigningUnavailable):
    """There is no key to sign answers with, and waiting does not help."""

    retryable = False


def answer_key(signing: Signing) -> Signer | None:
    """Load what signs answers, None where nothing is configured; raises ConfigurationError naming what to mend."""
    if signing.key is None:
        if signing.certificate is not None:
            raise ConfigurationError("[signing] names a certificate and no key")
        return None
    if signing.certificate is None and isinstance(signing.key, Path):
        raise ConfigurationError("[signing] needs the certificate of its key")
    try:
        return load_signer(signing.key, signing.certificate, signing.key_pin.get_secret_value())
    except KeyRefused as error:
        raise ConfigurationError(f"[signing]: {error}") from None


class AnswerSigner:
    """Signs answers; one per process. `signer` is None where no key is configured."""

    def __init__(self, signer: Signer | None) -> None:
        self._signer = signer

    def take(self, signer: Signer | None) -> None:
        """Sign with this from now on."""
        self._signer = signer

    def require(self) -> None:
        """Raise SigningUnavailable where no answer could be signed: to be asked before anything is done."""
        if self._signer is None:
            raise SigningNotConfigured(_NONE)

    async def sign(self, payload: bytes, version: SoapVersion, confirms: str, headers: bytes = b"") -> bytes:
        """Return the envelope with `payload`, the exclusive C14N of the one element of the Body.

        Signed are the Body, a Timestamp and a `wsse11:SignatureConfirmation` of `confirms`, the SignatureValue of the
        request in base64 (OASIS WSS 1.1.1 section 8.5); `headers` are further header blocks as they are. Where the key
        is in a device, its thread waits for it. Raises SigningUnavailable.
        """
        signer = self._signer
        if signer is None:
            raise SigningNotConfigured(_NONE)
        work = partial(sign_soap_parts, payload, signer, version=version, confirms=confirms, unsigned_headers=headers)
        try:
            if signer.thread is None:
                return work().envelope
            return (await asyncio.get_running_loop().run_in_executor(signer.thread, work)).envelope
        except KeySilent:
            raise SigningUnavailable(_SILENT, retry_after=1) from None
