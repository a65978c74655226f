"""A caller of the signing registries who knows their contracts but none of the gateway's codecs."""

import hashlib
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import ClientSession

from sandbox import land, population, tax
from sandbox.run import Running
from security.signature_key import SigningKey
from security.soap_signing import Signed, sign_soap_parts
from security.xml import Element, parse

REGISTRIES = (population.REGISTRY, land.REGISTRY, tax.REGISTRY)
SIGNING = tuple(registry.name for registry in REGISTRIES)


@dataclass(frozen=True)
class Reply:
    """What came back; `sent` is the signed question where there was one."""

    status: int
    body: bytes
    media: str
    sent: Signed | None = None

    @property
    def root(self) -> Element:
        return parse(self.body)

    def text(self, name: str) -> str | None:
        """The text of the first element of this local name."""
        return next((element.text or "" for element in self.root.iter(f"{{*}}{name}")), None)


@dataclass(frozen=True)
class Visitor:
    """Asks registries over HTTP, with everything right unless told otherwise."""

    running: Running
    session: ClientSession

    @property
    def key(self) -> SigningKey:
        pair = self.running.pki.gateway_signing()
        return SigningKey.load(pair.key, pair.certificate)

    async def fault(self, database: str, kind: str | None) -> int:
        async with self.session.put(f"{self.running.urls[database]}/_faults", json={"fault": kind}) as answer:
            return answer.status

    def proof(self, *, stamp: int | None = None, secret: str | None = None) -> dict[str, str]:
        """The headers of hashed Basic, as the population database wants them."""
        account = self.running.accounts["population"]
        moment = str(int(time.time() * 1000) if stamp is None else stamp)
        url = f"{self.running.urls['population']}{population.PATH}"
        digest = hashlib.sha256(f"{url}{account.username}{moment}{secret or account.secret}".encode()).hexdigest()
        token = b64encode(f"{account.username}:{digest}".encode()).decode()
        return {"Authorization": f"Basic {token}", "Timestamp": moment}

    async def soap(
        self,
        database: str,
        payload: str,
        *,
        key: SigningKey | None = None,
        envelope: bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """Send a payload signed, or an envelope as it is; headers given replace the right ones, None drops one."""
        version = "1.1" if database == "population" else "1.2"
        signed = sign_soap_parts(payload.encode(), key or self.key, version=version) if envelope is None else None
        media = "text/xml; charset=utf-8" if version == "1.1" else "application/soap+xml; charset=utf-8"
        right: dict[str, str | None] = {"Content-Type": media}
        if database == "population":
            right |= {"SOAPAction": '""', **self.proof()}
        sent = {name: value for name, value in (right | dict(headers or {})).items() if value is not None}
        path = population.PATH if database == "population" else tax.PATH
        body = signed.envelope if signed else envelope
        url = f"{self.running.urls[database]}{path}"
        async with self.session.post(url, data=body, headers=sent, skip_auto_headers=["Content-Type"]) as answer:
            return Reply(answer.status, await answer.read(), answer.content_type, signed)

    async def token(self) -> str:
        """A bearer token of the land database."""
        account = self.running.accounts["land"]
        form = {"grant_type": "password", "username": account.username, "password": account.secret}
        async with self.session.post(f"{self.running.urls['land']}{land.TOKEN}", data=form) as answer:
            told = await answer.json()
            return str(told["access_token"])

    async def document(
        self, path: str, document: str, *, token: str | None = None, media: str = "application/xml; charset=utf-8"
    ) -> Reply:
        """Send a question document to the land database."""
        headers = {"Content-Type": media, "Authorization": f"Bearer {token or await self.token()}"}
        async with self.session.post(
            f"{self.running.urls['land']}{path}", data=document.encode(), headers=headers
        ) as answer:
            return Reply(answer.status, await answer.read(), answer.content_type)

    async def ask(self, database: str) -> tuple[Reply, str]:
        """Ask something right, always the same but for its id, which is returned as well."""
        world, identity = self.running.world, str(uuid.uuid4())
        if database == "population":
            return await self.soap(database, person_question(world.person(1).personal_id or "", identity)), identity
        if database == "tax":
            return await self.soap(database, taxpayer_question(world.person(1).personal_id or "", identity)), identity
        parcel = next(world.blocks()).parcels[0]
        return await self.document(
            "/thua-dat/tra-cuu", parcel_question(parcel.key.commune, parcel.key.sheet, parcel.key.parcel, identity)
        ), identity


def person_question(number: str, identity: str = "1", *, integration: str = "037", inside: str | None = None) -> str:
    """A payload of TraCuuThongTinCongDan in canonical form."""
    head = f"<MaYeuCau>{identity}</MaYeuCau><MaDVC>D</MaDVC><MaTichHop>{integration}</MaTichHop><MaCanBo>C</MaCanBo>"
    rest = f"<SoDinhDanh>{number}</SoDinhDanh>"
    content = head + rest if inside is None else inside
    return f'<TraCuuThongTinCongDan xmlns="{population.ASKED}">{content}</TraCuuThongTinCongDan>'


def taxpayer_question(code: str, identity: str = "1", *, name: str = "TraCuuNguoiNopThue", more: str = "") -> str:
    """A payload of the taxpayer register in canonical form."""
    content = f"<MaYeuCau>{identity}</MaYeuCau><MaHeThong>H</MaHeThong><MaSoThue>{code}</MaSoThue>{more}"
    return f'<{name} xmlns="{tax.NAMESPACE}">{content}</{name}>'


def parcel_question(commune: str, sheet: str, parcel: str, identity: str = "1", day: str = "") -> str:
    """A question document about a parcel."""
    content = f"<MaXa>{commune}</MaXa><SoHieuToBanDo>{sheet}</SoHieuToBanDo><SoThuTuThua>{parcel}</SoThuTuThua>"
    content += f"<Ngay>{day}</Ngay>" if day else ""
    return f'<TraCuuThuaDat xmlns="{land.NAMESPACE}" requestId="{identity}">{content}</TraCuuThuaDat>'
