"""What a registry refuses, and how it says so: nothing that breaks transport, signature or contract gets an answer."""

import re
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox import land
from sandbox.pki import Pki
from sandbox.world.world import World
from security.signature_key import SigningKey
from security.soap_signing import sign_soap_parts
from tests.test_sandbox.visitor import Visitor, parcel_question, person_question, taxpayer_question

HEAD = "<MaYeuCau>1</MaYeuCau><MaDVC>D</MaDVC><MaTichHop>037</MaTichHop><MaCanBo>C</MaCanBo>"
WHO = "<SoDinhDanh>{number}</SoDinhDanh>"


@pytest.fixture
def number(world: World) -> str:
    return world.person(1).personal_id or ""


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(WHO + HEAD, id="order"),
        pytest.param(HEAD.replace("<MaYeuCau>1</MaYeuCau>", "") + WHO, id="no-request-id"),
        pytest.param(HEAD.replace("<MaYeuCau>1</MaYeuCau>", "<MaYeuCau></MaYeuCau>") + WHO, id="empty-request-id"),
        pytest.param(HEAD.replace("<MaCanBo>C</MaCanBo>", "") + WHO, id="no-officer"),
        pytest.param(HEAD + WHO + "<SoCMND>123456789</SoCMND>", id="two-numbers"),
        pytest.param(HEAD + "<SoDinhDanh>12345</SoDinhDanh>", id="short-number"),
        pytest.param(HEAD + WHO + "<Khac>1</Khac>", id="unknown-element"),
        pytest.param(HEAD + WHO + "<NgayThangNamSinh><Nam>90</Nam></NgayThangNamSinh>", id="short-year"),
        pytest.param(HEAD, id="nobody"),
        pytest.param(HEAD + "<HoVaTen>AN</HoVaTen>", id="name-alone"),
        pytest.param("", id="empty"),
    ],
)
async def test_population_holds_to_its_schema(visitor: Visitor, number: str, inside: str) -> None:
    reply = await visitor.soap("population", person_question("", inside=inside.format(number=number)))
    assert (reply.status, reply.media, reply.text("faultcode")) == (500, "text/xml", "soap:Client")
    assert reply.text("MaLoi") == "SaiCuPhap"
    assert reply.text("CongDan") is None


async def test_an_operation_needs_its_own_integration_code(visitor: Visitor, number: str) -> None:
    reply = await visitor.soap("population", person_question(number, integration="003"))
    assert (reply.status, reply.text("MaLoi")) == (500, "KhongCoQuyen")


async def test_there_are_no_other_operations(visitor: Visitor) -> None:
    for database in ("population", "tax"):
        reply = await visitor.soap(database, '<XoaCongDan xmlns="urn:x"></XoaCongDan>')
        assert reply.text("MaLoi") == {"population": "SaiCuPhap", "tax": "02"}[database]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"SOAPAction": None}, id="no-action"),
        pytest.param({"SOAPAction": '"TraCuuThongTinCongDan"'}, id="other-action"),
        pytest.param({"Content-Type": "application/soap+xml; charset=utf-8"}, id="soap-1.2"),
        pytest.param({"Content-Type": "text/plain"}, id="plain-text"),
        pytest.param({"Content-Type": "text/xml; charset=utf-16"}, id="charset"),
        pytest.param({"Content-Type": None}, id="no-type"),
    ],
)
async def test_population_holds_to_its_transport(visitor: Visitor, number: str, headers: dict[str, str | None]) -> None:
    reply = await visitor.soap("population", person_question(number), headers=headers)
    assert (reply.status, reply.text("MaLoi")) == (500, "SaiCuPhap")


async def test_population_lets_only_its_user_in(visitor: Visitor, number: str) -> None:
    now = int(time.time() * 1000)
    for headers in (
        {"Authorization": None},
        {"Timestamp": None},
        visitor.proof(secret="another"),
        visitor.proof(stamp=now - 600_000),
        visitor.proof(stamp=now + 600_000),
        {**visitor.proof(), "Timestamp": str(now + 5000)},
        {"Authorization": "Basic ?"},
        {"Authorization": visitor.proof()["Authorization"].replace("Basic", "Bearer")},
    ):
        reply = await visitor.soap("population", person_question(number), headers=headers)
        assert reply.status == 401, headers
        assert number not in reply.body.decode()


async def test_tax_wants_soap_1_2(visitor: Visitor, number: str) -> None:
    for media in ("text/xml; charset=utf-8", "application/xml"):
        reply = await visitor.soap("tax", taxpayer_question(number), headers={"Content-Type": media})
        assert (reply.status, reply.text("Value"), reply.text("MaLoi")) == (400, "soap:Sender", "02")
    older = sign_soap_parts(taxpayer_question(number).encode(), visitor.key, version="1.1").envelope
    assert (await visitor.soap("tax", "", envelope=older)).text("MaLoi") == "02"


@pytest.mark.parametrize(
    "payload",
    [
        taxpayer_question("12"),
        taxpayer_question("0100109106", name="TraCuuNghiaVuThue", more="<TuNgay>1/2/2025</TuNgay>"),
        taxpayer_question("0100109106", more="<TuNgay>2025-01-02</TuNgay>"),
    ],
)
async def test_tax_holds_to_its_schema(visitor: Visitor, payload: str) -> None:
    reply = await visitor.soap("tax", payload)
    assert (reply.status, reply.text("MaLoi")) == (400, "02")


async def test_tax_says_inside_an_answer_what_it_does_not_have(visitor: Visitor, world: World) -> None:
    nobody = world.cases["no-enterprise"].number or ""
    reply = await visitor.soap("tax", taxpayer_question(nobody))
    assert (reply.status, reply.text("MaKetQua"), reply.text("NguoiNopThue")) == (200, "01", None)
    impossible = taxpayer_question(nobody, name="TraCuuNghiaVuThue", more="<TuNgay>2025-02-30</TuNgay>")
    assert (await visitor.soap("tax", impossible)).text("MaKetQua") == "02"


@pytest.mark.parametrize("database", ["population", "tax"])
async def test_an_unsigned_question_is_refused(visitor: Visitor, database: str, number: str) -> None:
    payload = person_question(number) if database == "population" else taxpayer_question(number)
    soap = {"population": "http://schemas.xmlsoap.org/soap/envelope/", "tax": "http://www.w3.org/2003/05/soap-envelope"}
    envelope = f'<e:Envelope xmlns:e="{soap[database]}"><e:Body>{payload}</e:Body></e:Envelope>'
    reply = await visitor.soap(database, "", envelope=envelope.encode())
    assert reply.text("MaLoi") == {"population": "SaiChuKy", "tax": "03"}[database]


@pytest.mark.parametrize("database", ["population", "tax"])
async def test_an_altered_question_is_refused(visitor: Visitor, database: str, number: str) -> None:
    payload = person_question(number) if database == "population" else taxpayer_question(number)
    version = "1.1" if database == "population" else "1.2"
    envelope = sign_soap_parts(payload.encode(), visitor.key, version=version).envelope
    other = re.sub(number.encode(), str(int(number) + 1).rjust(12, "0").encode(), envelope)
    assert other != envelope
    reply = await visitor.soap(database, "", envelope=other)
    assert reply.text("MaLoi") == {"population": "SaiChuKy", "tax": "03"}[database]


@pytest.mark.parametrize("database", ["population", "tax"])
async def test_a_question_is_answered_once(visitor: Visitor, database: str, number: str) -> None:
    payload = person_question(number) if database == "population" else taxpayer_question(number)
    version = "1.1" if database == "population" else "1.2"
    envelope = sign_soap_parts(payload.encode(), visitor.key, version=version).envelope
    assert (await visitor.soap(database, "", envelope=envelope)).status == 200
    again = await visitor.soap(database, "", envelope=envelope)
    assert again.text("MaLoi") == {"population": "TrungYeuCau", "tax": "04"}[database]


@pytest.mark.parametrize("database", ["population", "tax"])
async def test_strangers_are_refused(visitor: Visitor, database: str, number: str, tmp_path: Path) -> None:
    payload = person_question(number) if database == "population" else taxpayer_question(number)
    pki = visitor.running.pki
    client = pki.client("ministry")
    elsewhere = Pki(tmp_path / "pki").gateway_signing()
    for key in (
        SigningKey.load(client.key, client.certificate),
        SigningKey.load(elsewhere.key, elsewhere.certificate),
        pki.stranger(),
    ):
        reply = await visitor.soap(database, payload, key=key)
        assert reply.text("MaLoi") == {"population": "KhongCoQuyen", "tax": "03"}[database]


@pytest.mark.parametrize("body", [b"", b"<", b"not xml", b"<!DOCTYPE a><a/>", b"<a/>", b"\xff\xfe", b"<a>" * 200])
async def test_what_is_no_message_gets_a_fault(visitor: Visitor, body: bytes) -> None:
    for database in ("population", "tax"):
        reply = await visitor.soap(database, "", envelope=body)
        assert reply.status in (400, 500)
        assert reply.text("MaLoi") == {"population": "SaiCuPhap", "tax": "02"}[database]


async def test_land_wants_a_token_and_the_right_document(visitor: Visitor, world: World) -> None:
    key = next(world.blocks()).parcels[0].key
    question = parcel_question(key.commune, key.sheet, key.parcel)
    path = "/thua-dat/tra-cuu"
    assert (await visitor.document(path, question, token="guessed")).status == 401
    assert (await visitor.document(path, question, media="text/xml")).status == 415
    assert (await visitor.document(path, question, media="application/xml; charset=utf-16")).status == 415
    assert (await visitor.document("/giay-chung-nhan/tra-cuu", question)).status == 400
    assert (await visitor.document(path, question)).text("MaKetQua") == "00"
    for wrong in (
        question.replace(' requestId="1"', ""),
        question.replace("<MaXa>", "<MaXa>x"),
        re.sub("(<MaXa>.*</MaXa>)(.*)(</TraCuu)", r"\2\1\3", question),
        question.replace(land.NAMESPACE, "urn:x"),
        "<a>",
        "",
    ):
        assert (await visitor.document(path, wrong)).status == 400
    never = parcel_question(key.commune, key.sheet, key.parcel, day="31/02/2025")
    assert (await visitor.document(path, never)).text("MaKetQua") == "02"


async def test_the_land_token_is_given_for_the_right_password_only(visitor: Visitor) -> None:
    account, url = visitor.running.accounts["land"], f"{visitor.running.urls['land']}{land.TOKEN}"
    right = {"grant_type": "password", "username": account.username, "password": account.secret}
    for change, error in (
        ({"password": "guess"}, "invalid_grant"),
        ({"username": "somebody"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ):
        async with visitor.session.post(url, data=right | change) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, error)
    async with visitor.session.post(url, json=right) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
    async with visitor.session.post(url, data={"grant_type": "password"}) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")


async def test_codes_of_before_and_since_the_mergers_are_told_apart_by_the_day(visitor: Visitor, world: World) -> None:
    parcel = world.cases["merged-commune"].parcel
    assert parcel is not None
    assert parcel.old_key is not None
    for key, day, result in (
        (parcel.key, "01/07/2025", "00"),
        (parcel.key, "", "00"),
        (parcel.old_key, "30/06/2025", "00"),
        (parcel.old_key, "", "00"),
        (parcel.old_key, "01/07/2025", "01"),
        (parcel.key, "30/06/2025", "01"),
    ):
        reply = await visitor.document(
            "/thua-dat/tra-cuu", parcel_question(key.commune, key.sheet, key.parcel, day=day)
        )
        assert reply.text("MaKetQua") == result
        if result == "00":
            assert (reply.text("SoThuTuThua"), reply.text("SoThuTuThuaCu")) == (
                parcel.key.parcel,
                parcel.old_key.parcel,
            )


async def test_account_and_keys_survive_a_restart(visitor: Visitor, state: Path, world: World) -> None:
    from sandbox.run import start
    from tests.test_sandbox.visitor import REGISTRIES

    again = await start(world, state, registries=REGISTRIES)
    assert again.accounts == visitor.running.accounts
    pems = [
        pki.signer("tax").private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for pki in (again.pki, visitor.running.pki)
    ]
    assert pems[0] == pems[1]
    assert (state / "accounts.json").stat().st_mode & 0o077 == 0
    await again.close()
