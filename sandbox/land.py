"""The land database of the sandbox (đất đai): REST with XML bodies, enveloped signatures, OAuth password grant.

The profile is ours (`schemas.land`). One certificate has a status that our vocabulary has no word for, as province
systems do.
"""

from __future__ import annotations

import hmac
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from functools import partial

from aiohttp import web

from sandbox import land_truth
from sandbox.contracts import Breach, Contract
from sandbox.registry import Context, Registry, application
from sandbox.soap import tamper
from sandbox.wire import Writer
from sandbox.world.holdings import LandCertificate, Owner, Parcel, Purpose
from sandbox.world.world import World
from schemas.codes.provinces import MERGER
from schemas.identifiers import ParcelKey
from security.xml import Element, XmlRefused, canonical, parse
from security.xml_signature import sign_enveloped

NAME = "land"
TOKEN = "/oauth/token"  # noqa: S105 - a path
CONTRACT = "/hop-dong.xsd"
NAMESPACE = "urn:lgsp:sandbox:datdai:1.0"
LIFETIME = 600.0

_STATUS = {"valid": "1", "mortgaged": "2", "revoked": "3"}
_FOUND, _NOTHING, _WRONG = "00", "01", "02"
_TEXTS = {_FOUND: "Thành công", _NOTHING: "Không có dữ liệu", _WRONG: "Yêu cầu không hợp lệ"}


class _Register:
    """Answers the two questions from the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._odd = land_truth.odd_serial(world)

    def parcels(self, question: Element) -> Element:
        """TraCuuThuaDat: the parcel with this key, or both where old and new codes mean two."""
        asked = _members(question)
        key = ParcelKey(asked["MaXa"], asked["SoHieuToBanDo"], asked["SoThuTuThua"])
        try:
            day = datetime.strptime(asked["Ngay"], "%d/%m/%Y").replace(tzinfo=UTC).date() if asked.get("Ngay") else None
        except ValueError:
            return _answer("KetQuaThuaDat", question, _WRONG)[1]
        found = self._found(key, day)
        writer, answer = _answer("KetQuaThuaDat", question, _FOUND if found else _NOTHING)
        for parcel in found:
            self._parcel(writer, answer, parcel)
        return answer

    def certificate(self, question: Element) -> Element:
        """TraCuuGiayChungNhan: the certificate with this serial."""
        found = self._world.certificate(_members(question)["SoPhatHanh"])
        writer, answer = _answer("KetQuaGiayChungNhan", question, _FOUND if found else _NOTHING)
        if found:
            self._certificate(writer, answer, *found)
        return answer

    def about_something_else(self, question: Element) -> Element:
        """The same question about another parcel or certificate, under another request id."""
        other, asked = deepcopy(question), _members(question)
        other.set("requestId", str(uuid.uuid4()))
        certified = (one for block in self._world.blocks() for one in block.parcels if one.certificate)
        parcel = next(
            one
            for one in certified
            if one.certificate
            and one.certificate.serial != asked.get("SoPhatHanh")
            and one.key.canonical().parcel != asked.get("SoThuTuThua", "").lstrip("0")
        )
        new = {
            "MaXa": parcel.key.commune,
            "SoHieuToBanDo": parcel.key.sheet,
            "SoThuTuThua": parcel.key.parcel,
            "SoPhatHanh": parcel.certificate.serial if parcel.certificate else "",
        }
        for child in list(other):
            name = str(child.tag).rpartition("}")[2]
            if name in new:
                child.text = new[name]
            else:
                other.remove(child)
        return other

    def _found(self, key: ParcelKey, day: date | None) -> list[Parcel]:
        found = []
        if day is None or day >= MERGER:
            found.append(self._world.parcel(key))
        if day is None or day < MERGER:
            found.append(self._world.parcel_by_old_key(key))
        return list({one.key: one for one in found if one is not None}.values())

    def _parcel(self, writer: Writer, answer: Element, parcel: Parcel) -> None:
        record, old = writer.below(answer, "ThuaDat"), parcel.old_key
        writer.text(record, "MaTinh", parcel.place.province)
        writer.text(record, "MaXa", parcel.key.commune)
        writer.text(record, "SoHieuToBanDo", parcel.key.sheet)
        writer.text(record, "SoThuTuThua", parcel.key.parcel)
        writer.text(record, "MaXaCu", old.commune if old else None)
        writer.text(record, "SoHieuToBanDoCu", old.sheet if old else None)
        writer.text(record, "SoThuTuThuaCu", old.parcel if old else None)
        writer.text(record, "DienTich", parcel.area)
        writer.text(record, "DienTichPhapLy", parcel.legal_area)
        writer.text(record, "DiaChi", parcel.address.detail, blank=True)
        _purposes(writer, record, parcel.purposes)
        _owners(writer, record, parcel.owners)
        certificate = parcel.certificate
        if certificate is None:
            writer.nothing(record, "GiayChungNhan")
        else:
            short = writer.below(record, "GiayChungNhan")
            writer.text(short, "SoPhatHanh", certificate.serial)
            writer.text(short, "SoVaoSo", certificate.entry, blank=True)
            writer.text(short, "TinhTrang", self._status(certificate))
        writer.text(record, "GhiChu", parcel.note, blank=True)

    def _certificate(self, writer: Writer, answer: Element, certificate: LandCertificate, parcel: Parcel) -> None:
        record = writer.below(answer, "GiayChungNhan")
        writer.text(record, "SoPhatHanh", certificate.serial)
        writer.text(record, "SoVaoSo", certificate.entry, blank=True)
        writer.text(record, "MaVach", certificate.barcode, blank=True)
        writer.text(record, "NgayCap", f"{certificate.issued_on:%d/%m/%Y}")
        writer.text(record, "NoiCap", certificate.issuer)
        writer.text(record, "TinhTrang", self._status(certificate))
        writer.text(record, "MaXa", parcel.key.commune)
        writer.text(record, "SoHieuToBanDo", parcel.key.sheet)
        writer.text(record, "SoThuTuThua", parcel.key.parcel)
        writer.text(record, "DienTich", parcel.area)
        _purposes(writer, record, parcel.purposes)
        _owners(writer, record, parcel.owners)

    def _status(self, certificate: LandCertificate) -> str:
        return "9" if certificate.serial == self._odd else _STATUS[certificate.status]


class _Desk:
    """Gives out tokens, takes question documents, hands out signed answer documents."""

    def __init__(self, context: Context) -> None:
        self._faults = context.faults
        self._account = context.account(NAME)
        self._contract = Contract("land.xsd")
        self._register = _Register(context.world)
        self._signing = partial(context.pki.signing, NAME)
        self._tokens: dict[str, float] = {}
        self._last: dict[str, bytes] = {}

    async def token(self, request: web.Request) -> web.Response:
        """Exchange user and password for a bearer token (RFC 6749, section 4.3)."""
        if request.content_type != "application/x-www-form-urlencoded":
            return web.json_response({"error": "invalid_request"}, status=400)
        form = await request.post()
        if form.get("grant_type") != "password":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        user, password = form.get("username"), form.get("password")
        if not (isinstance(user, str) and isinstance(password, str)):
            return web.json_response({"error": "invalid_request"}, status=400)
        known = f"{self._account.username}:{self._account.secret}".encode()
        if not hmac.compare_digest(f"{user}:{password}".encode(), known):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = time.monotonic()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(24)
        self._tokens[token] = now + LIFETIME
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": int(LIFETIME)})

    async def parcels(self, request: web.Request) -> web.Response:
        """Answer a question about a parcel."""
        return await self._post(request, "TraCuuThuaDat", self._register.parcels)

    async def certificates(self, request: web.Request) -> web.Response:
        """Answer a question about a certificate."""
        return await self._post(request, "TraCuuGiayChungNhan", self._register.certificate)

    async def contract(self, request: web.Request) -> web.Response:
        """Publish the XSD of questions and answers."""
        address = f"{request.scheme}://{request.host}"
        return web.Response(body=self._contract.published(address), content_type="application/xml", charset="utf-8")

    async def _post(self, request: web.Request, expected: str, answer: Callable[[Element], Element]) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self._tokens.get(token, 0.0) <= time.monotonic():
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if request.content_type != "application/xml" or (request.charset or "utf-8").lower() != "utf-8":
            raise web.HTTPUnsupportedMediaType
        try:
            question = parse(await request.read())
            self._contract.check(question)
        except (XmlRefused, Breach) as refused:
            raise web.HTTPBadRequest(text=str(refused)) from None
        if question.tag != f"{{{NAMESPACE}}}{expected}":
            raise web.HTTPBadRequest(text="another document is expected here")
        body = self._signed(expected, question, answer)
        return web.Response(body=body, content_type="application/xml", charset="utf-8")

    def _signed(self, name: str, question: Element, answer: Callable[[Element], Element]) -> bytes:
        fault = self._faults.kind()
        if fault == "replayed" and name in self._last:
            return self._last[name]
        if fault == "wrong-answer":
            question = self._register.about_something_else(question)
        document = answer(question)
        now = datetime.now(UTC) - timedelta(hours=1) if fault == "stale" else datetime.now(UTC)
        document.set("issuedAt", now.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        octets = canonical(document)
        if fault == "unsigned":
            return octets
        signed = sign_enveloped(octets, self._signing(fault))
        if fault == "tampered":
            return tamper(signed, octets[octets.index(b"<d:MaKetQua") : octets.rindex(b"</")])
        if self._faults.delivers:
            self._last[name] = signed
        return signed


def _members(question: Element) -> dict[str, str]:
    return {str(child.tag).rpartition("}")[2]: child.text or "" for child in question}


def _answer(name: str, question: Element, result: str) -> tuple[Writer, Element]:
    writer = Writer(NAMESPACE, "".join(_members(question).values()))
    answer = writer.root(name, requestId=question.get("requestId"))
    writer.text(answer, "MaKetQua", result)
    writer.text(answer, "MoTaKetQua", _TEXTS[result])
    return writer, answer


def _purposes(writer: Writer, record: Element, held: tuple[Purpose, ...]) -> None:
    place = writer.below(record, "DanhSachMucDich")
    for one in held:
        purpose = writer.below(place, "MucDich")
        writer.text(purpose, "KyHieuMucDichSuDung", one.sign)
        writer.text(purpose, "DienTich", one.area)
        writer.text(purpose, "ThoiHan", f"{one.until:%d/%m/%Y}" if one.until else None)


def _owners(writer: Writer, record: Element, held: tuple[Owner, ...]) -> None:
    place = writer.below(record, "DanhSachChu")
    for one in held:
        owner = writer.below(place, "Chu")
        number = one.document or ""
        writer.text(owner, "LoaiChu", "CN" if one.person is not None else "TC")
        writer.text(owner, "TenChu", one.name)
        writer.text(owner, "SoDinhDanh", number if one.person is not None and len(number) == 12 else None)
        writer.text(owner, "SoCMND", number if one.person is not None and len(number) == 9 else None)
        writer.text(owner, "MaSoDoanhNghiep", one.enterprise)
        writer.text(owner, "TyLe", one.share, blank=True)


def build(context: Context) -> Mapping[str, web.Application]:
    """Return the one application of this registry."""
    app, desk = application(context), _Desk(context)
    app.router.add_post(TOKEN, desk.token)
    app.router.add_post("/thua-dat/tra-cuu", desk.parcels)
    app.router.add_post("/giay-chung-nhan/tra-cuu", desk.certificates)
    app.router.add_get(CONTRACT, desk.contract)
    return {NAME: app}


REGISTRY = Registry(
    name=NAME,
    signs=True,
    contract=CONTRACT,
    build=build,
    truth=land_truth.truth,
    cases=land_truth.cases,
)
