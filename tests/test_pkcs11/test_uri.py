"""PKCS#11 URIs: what RFC 7512 says is read, nothing is passed over, no PIN stands in one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.pkcs11_uri import Pkcs11Uri
from config.settings import ConfigurationError, Settings, load

MODULE = "?module-path=/usr/lib/softhsm/libsofthsm2.so"
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(
    st.none() | TEXT,
    TEXT,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.integers(0, 2**64),
    st.none() | st.binary(max_size=8),
    TEXT,
)
def test_what_is_written_is_read_again(
    token: str | None,
    serial: str,
    maker: str | None,
    model: str | None,
    slot: int | None,
    identifier: bytes | None,
    label: str,
) -> None:
    uri = Pkcs11Uri(Path("/m.so"), token, serial, maker, model, slot, label, identifier)
    assert Pkcs11Uri.parse(f"{uri};type=private?module-path=/m.so") == uri


def test_the_examples_of_the_standard_are_read() -> None:
    said = (
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-key"
    )
    uri = Pkcs11Uri.parse(f"{said};type=private;serial={MODULE}&pin-source=file:/etc/token_pin")
    assert (uri.token, uri.manufacturer, uri.model) == ("The Software PKCS#11 Softtoken", "Snake Oil, Inc.", "1.0")
    assert (uri.label, uri.serial, uri.pin_source) == ("my-key", "", Path("/etc/token_pin"))
    uri = Pkcs11Uri.parse(f"pkcs11:slot-id=327;id=%69%95%3E%5C%F4%BD%EC%91{MODULE}&pin-source=file:///etc/token_pin")
    assert (uri.slot_id, uri.object_id, uri.pin_source) == (327, b"\x69\x95>\\\xf4\xbd\xec\x91", Path("/etc/token_pin"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pkcs11:", "name the token"),
        (f"pkcs11:object=a{MODULE}", "name the token"),
        (f"pkcs11:token=a{MODULE}", "name the key"),
        ("pkcs11:token=a;object=b", "module-path"),
        ("pkcs11:token=a;object=b?module-path=softhsm.so", "absolute"),
        ("pkcs11:token=a;object=b?module-path=/m%00.so", "absolute"),
        (f"pkcs11:token=a;object=b{MODULE}&pin-source=pin", "absolute"),
        (f"pkcs11:token=a;object=b{MODULE}&pin-source=%7C/bin/pin", "absolute"),
        (f"pkcs11:token=a;object=b;type=cert{MODULE}", "type must be private"),
        (f"pkcs11:token=a;token=a;object=b{MODULE}", "token stands there twice"),
        (f"pkcs11:token=a;object=b;library-version=3{MODULE}", "library-version is not understood"),
        (f"pkcs11:token=a;object=b{MODULE}&module-name=softhsm", "module-name is not understood"),
        (f"pkcs11:token=a;object=b{MODULE}&SECRET!=1", "an attribute is not understood"),
        (f"pkcs11:token=a b;object=b{MODULE}", "token holds characters"),
        (f"pkcs11:token=%ff;object=b{MODULE}", "token is not UTF-8"),
        ("pkcs11:token=a;object=b?module-path=/%ff", "module-path is not UTF-8"),
        (f"pkcs11:token=a;object{MODULE}", "object holds characters"),
        (f"pkcs11:slot-id=0x1;object=b{MODULE}", "slot-id is a number"),
        (f"pkcs11:slot-id=%C2%B2;object=b{MODULE}", "slot-id is a number"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Pkcs11Uri.parse(text)


def settings(tmp_path: Path, *lines: str) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text("\n".join(("[endpoints.tax]", 'url = "http://127.0.0.1:1"', *lines)), encoding="utf-8")
    return load(file)


def test_a_key_is_a_file_beside_the_configuration_or_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(tmp_path, 'key = "ours.pem"').endpoints["tax"].key == tmp_path / "ours.pem"
    monkeypatch.setenv("TOKEN_PIN", "2-9-1945")
    read = settings(tmp_path, f'key = "pkcs11:token=a;object=b{MODULE}"', 'key_pin = "env:TOKEN_PIN"').endpoints["tax"]
    assert isinstance(read.key, Pkcs11Uri)
    assert str(read.key) == "pkcs11:token=a;object=b"
    assert read.key_pin.get_secret_value() == "2-9-1945"
    assert "2-9-1945" not in repr(read)


def test_a_pin_in_the_configuration_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for place in (f"{MODULE}&pin-value=2-9-1945", f";pin-value=2-9-1945{MODULE}"):
        with pytest.raises(ConfigurationError, match=r"endpoints\.tax\.key: .*key_pin or pin-source") as refused:
            settings(tmp_path, f'key = "pkcs11:token=a;object=b{place}"')
        assert "1945" not in str(refused.value)
