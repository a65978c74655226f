"""Signatures beside those who would do it otherwise, run in turn: xmlsec and signxml verifying, the bare key signing.

Ours is everything from bytes to verdict: caps, parse, structure, trust with its path to an authority, digests,
freshness, the memory that the workers of a machine share, and which question was answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from bench.pieces_clock import Clock
from bench.pieces_rivals import other_verifiers
from bench.pieces_wire import Wire
from schemas.tax import NAMESPACE
from security.shared_signatures import SharedSignatures
from security.signature import Replays, SignaturePolicy
from security.signature_key import SigningKey
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap_parts
from security.trust import AnchoredTrust, load_certificates

Works = Mapping[str, Callable[[], object]]


class Anew:
    """The shared memory, to which every message is another one: each is verified for the first time."""

    def __init__(self, memory: Replays) -> None:
        self._memory = memory
        self._number = count()

    def remember(self, digest: bytes, until: datetime) -> bool:
        """Remember another digest each time."""
        return self._memory.remember(sha256(b"%b%d" % (digest, next(self._number))).digest(), until)


def verify_pieces(clock: Clock, made: Wire, directory: Path) -> dict[str, float]:
    """Every signed answer by ours and by the other libraries; one that does not load is named with the reason."""
    memory = SharedSignatures(directory / "replays.bin")
    try:
        ours = verifiers(made, Anew(memory))
        others, absent = other_verifiers(made)
        found: dict[str, float] = {}
        for name, work in ours.items():
            found |= clock.together({name: work, **{each: others[each] for each in others if each.startswith(name)}})
    finally:
        memory.close()
    return found | dict.fromkeys(absent, 0.0)


def verifiers(made: Wire, replays: Replays) -> Works:
    """The strict profile over each signed answer."""
    policy = SignaturePolicy(soap=frozenset({"1.2"}), replays=replays)
    authority = load_certificates(made.authority)
    return {
        name: partial(
            verify_soap,
            answer.envelope,
            policy,
            AnchoredTrust(authority, subject=answer.signer.certificate.subject),
            confirms=answer.confirms,
        )
        for name, answer in made.answers.items()
    }


def sign_pieces(clock: Clock, made: Wire) -> dict[str, float]:
    """From a canonical payload, a question's and one of 2 KB, to the signed envelope; and what the key alone takes."""
    question = f'<TraCuuNguoiNopThue xmlns="{NAMESPACE}"><MaSoThue>0100109106</MaSoThue></TraCuuNguoiNopThue>'.encode()
    found: dict[str, float] = {}
    for name, key in made.keys.items():
        found |= clock.together(
            {
                f"question {name}": partial(sign_soap_parts, question, key, version="1.2"),
                f"2 KB {name}": partial(sign_soap_parts, made.payloads["2 KB"], key, version="1.2"),
                f"bare key {name}": _bare(key),
            }
        )
    return found


def _bare(key: SigningKey) -> Callable[[], object]:
    # As long as a SignedInfo with two references.
    text = b"x" * 900
    if isinstance(key.private, RSAPrivateKey):
        return partial(key.private.sign, text, padding.PKCS1v15(), SHA256())
    return partial(key.private.sign, text, ec.ECDSA(SHA256()))
