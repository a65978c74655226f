"""Signing with keys on real tokens of SoftHSM: what they sign verifies, what does not fit is refused."""

import ctypes
import fcntl
import os
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from structlog.testing import capture_logs

from config.pkcs11_uri import Pkcs11Uri
from security import pkcs11_token
from security.pkcs11_key import TokenKey, load_token_key
from security.pkcs11_token import login
from security.signature_algorithms import ECDSA_SHA256, checks
from security.signature_key import KeyRefused, KeySilent, Signer, load_signer
from tests.services import SoftHsm
from tests.test_pkcs11.conftest import Token


def verifies(signer: Signer, data: bytes = b"<ds:SignedInfo>") -> bool:
    checks(signer.certificate.public_key())[signer.algorithm.uri](signer.sign(data), data)
    return True


@pytest.mark.parametrize(
    ("kind", "pss", "algorithm"),
    [
        ("rsa", False, "rsa-sha256"),
        ("rsa", True, "sha256-rsa-MGF1"),
        ("p256", False, "ecdsa-sha256"),
        ("p384", False, "ecdsa-sha384"),
    ],
)
def test_what_a_token_signs_verifies(token: Token, kind: str, pss: bool, algorithm: str) -> None:
    signer = token.load(token.holds(kind), pss=pss)
    assert signer.algorithm.uri.endswith(algorithm)
    assert signer.thread is not None
    assert verifies(signer)
    assert SoftHsm.PIN not in repr(signer)


def test_the_certificate_may_be_on_the_token(token: Token) -> None:
    token.holds("rsa", "other", "02")
    token.holds("p256", "key", "0a")
    with pytest.raises(KeyRefused, match=r"0 certificates .* id of the key: name a PEM file"):
        token.load(None)
    token.holds_certificate("rsa", "02")
    token.holds_certificate("p256", "0a")
    signer = token.load(None)
    assert verifies(signer)
    assert "LGSP thử" in signer.certificate.subject.rfc4514_string()
    token.holds_certificate("p256", "0a", "renewed")
    with pytest.raises(KeyRefused, match="2 certificates"):
        token.load(None)


def test_a_key_that_wants_the_pin_each_time_gets_it(token: Token) -> None:
    make = ("--keypairgen", "--key-type", "EC:prime256v1", "--label", "key", "--id", "01", "--always-auth")
    token.hsm.tool(token.label, *make, "--usage-sign")
    public = token.folder / "public.der"
    token.hsm.tool(token.label, "--read-object", "--type", "pubkey", "--id", "01", "--output-file", str(public))
    uri = token.uri()
    at = login(uri)
    at.use(SoftHsm.PIN)
    key = TokenKey(uri, at)
    for data in (b"one", b"two"):
        checks(load_der_public_key(public.read_bytes()))[ECDSA_SHA256.uri](key.sign(ECDSA_SHA256, data), data)


def test_each_thing_wrong_has_a_next_step(token: Token) -> None:
    certificate = token.holds("p256")
    module = token.hsm.module

    def refused(said: str, uri: str, at: Path | None = certificate, pin: str | None = SoftHsm.PIN) -> None:
        with pytest.raises(KeyRefused, match=said) as caught:
            load_token_key(Pkcs11Uri.parse(uri), at, pin)
        assert caught.value.step
        assert SoftHsm.PIN not in str(caught.value)

    def named(label: str) -> str:
        return token.hsm.uri(token.label, label)

    refused(r"is in no slot \(there: .*lgsp-.*list-token-slots", token.hsm.uri("nowhere", "key"))
    refused("is in no slot", f"{named('key').replace('?', ';serial=1?')}")
    refused("no such private key", named("missing"))
    refused("no such private key.*set key_pin", named("key"), pin=None)
    refused(
        r"not work as a PKCS#11 module .*C_GetFunctionList", f"pkcs11:token=a;object=b?module-path={ctypes_library()}"
    )
    refused("cannot be read", "pkcs11:token=a;object=b?module-path=/nowhere/module.so")
    refused("holds no certificate", named("key"), at=token.folder / "nothing.pem")
    token.holds("p384", "key", "02")
    refused("2 private keys.*add id=", named("key"))
    assert verifies(
        load_token_key(Pkcs11Uri.parse(named("key").replace(";object", ";id=%01;object")), certificate, SoftHsm.PIN)
    )
    refused("belongs to another private key", named("key").replace(";object", ";id=%02;object"))
    refused("belongs to another private key", named("key").replace(";object", ";id=%01;object"), token.certified("rsa"))
    # pkcs11-tool cannot leave out CKA_SIGN; the login of this process is that of the product.
    with tokens(token)[0].open(rw=True) as session:
        can = pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT
        session.generate_keypair(pkcs11.KeyType.RSA, 2048, label="wraps", store=True, capabilities=can)
    refused("not allowed to sign", named("wraps"), token.certified("rsa"))
    open_module = token.folder / "module.so"
    open_module.write_bytes(module.read_bytes())
    open_module.chmod(0o755)
    token.folder.chmod(0o777)
    refused("could be replaced by others", f"pkcs11:token=a;object=b?module-path={open_module}")


def ctypes_library() -> Path:
    """A library that is no PKCS#11 module."""
    with Path("/proc/self/maps").open() as maps:
        return next(Path(line.split()[-1]) for line in maps if "/libc.so" in line or "/libc-" in line)


def test_two_tokens_of_one_label_are_told_apart(token: Token) -> None:
    certificate = token.holds("p256")
    token.hsm.token(token.label)
    with pytest.raises(KeyRefused, match="add serial="):
        token.load(certificate)
    found = []
    for each in tokens(token):
        named = token.hsm.uri(token.label, "key").replace(";object", f";serial={each.serial.decode()};object")
        with suppress(KeyRefused):
            found.append(load_token_key(Pkcs11Uri.parse(named), certificate, SoftHsm.PIN))
    (signer,) = found
    assert verifies(signer)


def tokens(token: Token) -> list[pkcs11.Token]:
    found = [slot.get_token() for slot in pkcs11.lib(str(token.hsm.module)).get_slots(token_present=True)]
    return [each for each in found if each.label == token.label]


def test_a_wrong_pin_is_tried_once(token: Token) -> None:
    certificate = token.holds("p256")
    uri = token.uri()

    def marked() -> bool:
        return bool(tokens(token)[0].flags & pkcs11.TokenFlag.USER_PIN_COUNT_LOW)

    with pytest.raises(KeyRefused, match=r"the PIN is wrong: correct the PIN"):
        load_token_key(uri, certificate, "0000")
    assert marked()
    # A process that knows nothing of the failure does not go on trying, not even with the right one.
    for pin in ("1111", SoftHsm.PIN):
        with pytest.raises(KeyRefused, match=r"somebody tried was wrong.*--login"):
            load_token_key(uri, certificate, pin)
    token.hsm.tool(token.label, "--list-objects")
    assert not marked()
    # This one has its own memory, too.
    with pytest.raises(KeyRefused, match="not tried again"):
        load_token_key(uri, certificate, "0000")
    assert not marked()
    assert verifies(load_token_key(uri, certificate, SoftHsm.PIN))


def test_a_proven_pin_survives_the_mistake_of_somebody_else(token: Token) -> None:
    signer = token.load(token.holds("p256"))
    with pytest.raises(RuntimeError, match="PIN_INCORRECT"):
        token.hsm.tool(token.label, "--pin", "0000", "--list-objects")
    die(token, "C_CloseAllSessions", tokens(token)[0].slot.slot_id)
    assert verifies(signer)


def die(token: Token, function: str, *arguments: int | None) -> None:
    """Call the module behind the back of everything that uses it in this process."""
    assert getattr(ctypes.CDLL(str(token.hsm.module)), function)(*arguments) == 0


def test_a_session_that_died_is_opened_again(token: Token) -> None:
    signer = token.load(token.holds("p256"))
    for function, argument in (("C_CloseAllSessions", tokens(token)[0].slot.slot_id), ("C_Finalize", None)):
        die(token, function, argument)
        with capture_logs() as logged:
            assert verifies(signer)
        assert logged == []


def test_a_token_that_is_away_is_silent_until_it_is_back(token: Token) -> None:
    signer = token.load(token.holds("p256"))
    away = token.hsm.folder / "away"
    token.hsm.tokens.rename(away)
    try:
        with capture_logs() as logged:
            for _ in range(3):
                with pytest.raises(KeySilent):
                    signer.sign(b"data")
        assert [line["event"] for line in logged] == ["key-silent"]
        assert SoftHsm.PIN not in str(logged)
    finally:
        away.rename(token.hsm.tokens)
    login(token.uri())._rest = None
    with capture_logs() as logged:
        assert verifies(signer)
    assert [line["event"] for line in logged] == ["key-signs-again"]


def test_after_a_failure_a_token_is_left_in_peace_for_a_moment(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = token.load(token.holds("p256"))
    at = login(token.uri())
    asked: list[str] = []
    monkeypatch.setattr(at, "_present", lambda: asked.append("present") or at._opened())
    at._rest = time.monotonic() + 60, KeySilent("away")
    with pytest.raises(KeySilent, match="away"):
        signer.sign(b"data")
    assert asked == []
    at._rest = time.monotonic() - 1, KeySilent("away")
    assert verifies(signer)


def test_threads_share_a_token(token: Token) -> None:
    signer = token.load(token.holds("p256"))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: verifies(signer, b"%d" % number), range(200)))


def test_a_child_that_inherits_a_module_starts_it_anew(token: Token) -> None:
    signer = token.load(token.holds("rsa"))
    held = login(token.uri()).module
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        with held.lock:
            locked.set()
            over.wait()

    # A lock that another thread holds at the fork is one that nobody in the child would ever release.
    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if verifies(signer) else 1)
        finally:
            os._exit(2)
    over.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert verifies(signer)


def test_a_new_pin_ends_the_session_of_the_old_one(token: Token) -> None:
    certificate = token.holds("p256")
    signer = token.load(certificate)
    token.hsm.tool(token.label, "--change-pin", "--new-pin", "30-04-1975")
    # What is logged in stays so; the new PIN counts from the next log-in on.
    assert verifies(signer)
    assert verifies(load_token_key(token.uri(), certificate, "30-04-1975"))
    with pytest.raises(KeyRefused, match="PIN is wrong"):
        load_token_key(token.uri(), certificate, SoftHsm.PIN)


def test_the_pin_may_be_in_a_file_that_is_read_each_time(token: Token) -> None:
    certificate = token.holds("p256")
    pin = token.folder / "pin"
    pin.write_text("not yet\n")
    pin.chmod(0o600)
    uri = token.uri(more=f"&pin-source=file:{pin}")
    with pytest.raises(KeyRefused, match="PIN is wrong"):
        load_token_key(uri, certificate, None)
    token.hsm.tool(token.label, "--list-objects")
    pin.write_text(f"{SoftHsm.PIN}\n")
    assert verifies(load_token_key(uri, certificate, None))
    with pytest.raises(KeyRefused, match="named twice"):
        load_token_key(uri, certificate, SoftHsm.PIN)
    pin.chmod(0o640)
    with pytest.raises(KeyRefused, match="chmod 600"):
        load_token_key(uri, certificate, None)


def test_without_the_package_it_is_said_how_to_get_it(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    for name in ("security.pkcs11_key", "security.pkcs11_token"):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(KeyRefused, match=r"python-pkcs11.*run `make hsm`"):
        load_signer(token.uri(), None)


def test_processes_log_in_one_after_the_other(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = token.holds("p256")
    monkeypatch.setattr(pkcs11_token, "_PATIENCE", 0.0)
    with token.hsm.module.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(KeyRefused, match="another process holds"):
            token.load(certificate)
    assert verifies(token.load(certificate))
