"""The gateway asks a server that node's `soap` package made of the vendored WSDL: another stack, the same contract."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters import population
from config.settings import Endpoint
from sandbox.population import REGISTRY
from sandbox.registry import Truth
from sandbox.world.world import World
from schemas.errors import Ambiguous, NoRecord, UpstreamRefused, UpstreamUnreadable
from schemas.exchange import Database
from security.contracts import contract_path
from tests.test_oracles.asking import Gateway, gateway_to

pytestmark = pytest.mark.xdist_group("node")

ROOT = Path(__file__).parents[2]
Tree = dict[str, Any]

NAMES = {"person": "TraCuuThongTinCongDan", "match": "XacThucThongTinCongDan", "relation": "XacMinhThongTinNhanThan"}
SEX = {"unknown": "0", "male": "1", "female": "2", "other": "3"}
MARITAL = {"single": "1", "married": "2", "divorced": "3", "widowed": "4"}
BLOOD = {"A": "01", "B": "02", "AB": "03", "O": "04"}
HOUSEHOLD = {"head": "01", "spouse": "02", "child": "03", "father": "04", "mother": "05", "relative": "99"}
KINSHIP = {"father": "01", "mother": "02", "spouse": "03", "child": "04", "representative": "05", "household": "06"}

UNSIGNED: Database = replace(
    population.DATABASE, operations=tuple(replace(one, signed=False) for one in population.DATABASE.operations)
)
"""node signs nothing: here it is the contract that is tried."""


def known(tree: Tree) -> Tree:
    """The tree without what is not known: elements that are not there say so too."""
    return {name: value for name, value in tree.items() if value is not None}


def day(text: str | None) -> Tree | None:
    if text is None:
        return None
    return {"Nam": text} if len(text) == 4 else {"NgayThangNam": text.replace("-", "")}


def name(text: str | None) -> Tree | None:
    if text is None:
        return None
    first, *rest = text.split(" ")
    return {"Ho": first, "ChuDem": " ".join(rest[:-1]), "Ten": rest[-1]} if rest else {"Ten": first}


def place(data: Tree | None) -> Tree | None:
    names = {"province": "MaTinhThanh", "district": "MaQuanHuyen", "commune": "MaPhuongXa", "detail": "ChiTiet"}
    return data and {theirs: data[ours] for ours, theirs in {**names, "country": "QuocGia"}.items()}


def relative(data: Tree | None) -> Tree | None:
    return data and {
        **known({"QuanHe": HOUSEHOLD[data["relation"]] if data.get("relation") else None}),
        "HoVaTen": name(data["full_name"]),
        **({"QuocTich": data["nationality"]} if "nationality" in data else {}),
        "SoDinhDanh": data["personal_id"],
        "SoCMND": data["old_id_card"],
    }


def citizen(data: Tree) -> Tree:
    """What the contract has of a person."""
    return {
        "attributes": known(
            {"GhiChu": data["note"], "ThoiDiemDuLieu": "".join(filter(str.isdigit, (data["data_as_of"] or "")[:19]))}
        ),
        "SoDinhDanh": data["personal_id"],
        "SoCMND": data["old_id_card"],
        "HoVaTen": name(data["full_name"]),
        "TenGoiKhac": data["other_name"],
        "GioiTinh": SEX.get(data["sex"]),
        "DanToc": data["ethnicity"],
        "TonGiao": data["religion"],
        "TinhTrangHonNhan": MARITAL.get(data["marital_status"]),
        "NhomMau": BLOOD.get(data["blood_group"]),
        "NgayThangNamSinh": day(data["birth_date"]),
        "NgayChetMatTich": day(data["death_date"]),
        "NoiDangKyKhaiSinh": place(data["birth_registration_place"]),
        "QueQuan": place(data["hometown"]),
        "ThuongTru": place(data["permanent_residence"]),
        "NoiOHienTai": place(data["current_residence"]),
        "QuocTich": data["nationality"],
        "Cha": relative(data["father"]),
        "Me": relative(data["mother"]),
        "VoChong": relative(data["spouse"]),
        "NguoiDaiDien": relative(data["representative"]),
        "ChuHo": relative(data["head_of_household"]),
        "SoSoHoKhau": data["household_number"],
    }


def told(truth: Truth) -> Tree:
    """The answer to a sentence of the truth, as node is given it."""
    data = dict(truth.answer)
    if truth.operation == "person":
        return {"CongDan": [citizen(data)]}
    if truth.operation == "relation":
        return known({"TonTai": data["exists"], "KetQua": data["related"], "QuanHe": KINSHIP.get(data["relation"])})
    claims = {
        "full_name": "HoVaTen",
        "birth_date": "NgayThangNamSinh",
        "sex": "GioiTinh",
        "nationality": "QuocTich",
        "household_number": "SoSoHoKhau",
    }
    return {"TonTai": data["exists"], "KetQuaXacThuc": {theirs: data[ours] for ours, theirs in claims.items()}}


def asked(truth: Truth | Tree, operation: str = "person") -> Tree:
    """What node must understand of a question."""
    request = dict(truth.request) if isinstance(truth, Truth) else truth
    operation = truth.operation if isinstance(truth, Truth) else operation
    tree: Tree = {"MaDVC": "DVC", "MaTichHop": "003" if operation == "match" else "037", "MaCanBo": "CB"}
    tree |= known(
        {
            "SoDinhDanh": request.get("personal_id"),
            "SoCMND": request.get("old_id_card"),
            "SoDinhDanhNguoiThan": request.get("relative_id"),
            "QuanHe": KINSHIP.get(request.get("relation", "")),
            "HoVaTen": request["full_name"].upper() if "full_name" in request else None,
            "NgayThangNamSinh": day(request.get("birth_date")),
            "GioiTinh": SEX.get(request.get("sex", "")),
            "QuocTich": request.get("nationality"),
            "SoSoHoKhau": request.get("household_number"),
        }
    )
    return tree


def key(tree: Tree) -> str:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Node:
    """A running server; `understood` is how it read what it was asked."""

    port: int
    process: "subprocess.Popen[str]"

    def understood(self) -> Tree:
        assert self.process.stdout is not None
        line: Tree = json.loads(self.process.stdout.readline())
        return line


@pytest.fixture(scope="module")
def world() -> World:
    return World(20, 25)


@pytest.fixture(scope="module")
def modules() -> Path:
    """The installed packages; installing is a matter of seconds and done once for each environment."""
    subprocess.run(["make", "-s", ".venv/.node"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return ROOT / ".venv" / "node" / "node_modules"


TWINS = {"full_name": "Trần Thị Đôi", "birth_date": "1990"}
NOBODY = {"personal_id": "079099500000"}
BROKEN = {"personal_id": "079099500001"}
NAMED = {"personal_id": "079099500003"}


@pytest.fixture(scope="module")
def node(world: World, modules: Path) -> Iterator[Node]:
    answers: dict[str, Tree] = {name: {} for name in NAMES.values()}
    for truth in REGISTRY.truth(world):
        answers[NAMES[truth.operation]][key(asked(truth))] = told(truth)
    people = answers[NAMES["person"]]
    people[key(asked(TWINS))] = {"CongDan": [{"SoSoHoKhau": "1"}, {"SoSoHoKhau": "2"}]}
    people[key(asked(NOBODY))] = {"CongDan": []}
    people[key(asked(BROKEN))] = {"CongDan": [{"TonGiao": "00", "GioiTinh": "female"}]}
    people[key(asked(NAMED))] = {"CongDan": [{"TenGoiKhac": "soap:Fault"}]}
    process = subprocess.Popen(
        ["node", str(Path(__file__).with_name("node") / "server.mjs"), str(contract_path("population.wsdl")), "/dancu"],
        env={"PATH": os.environ["PATH"], "NODE_MODULES": str(modules)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin:
        process.stdin.write(json.dumps(answers))
        process.stdin.close()
        yield Node(int(process.stdout.readline()), process)
        process.terminate()


@pytest.fixture
async def gateway(node: Node) -> AsyncIterator[Gateway]:
    endpoint = Endpoint(
        url=f"http://127.0.0.1:{node.port}",
        username="user",
        secret=SecretStr("secret"),
        params={"MaDVC": "DVC", "MaCanBo": "CB"},
    )
    async with gateway_to(UNSIGNED, endpoint) as one:
        yield one


async def test_both_stacks_understand_each_other(gateway: Gateway, node: Node, world: World) -> None:
    seen = set()
    for truth in REGISTRY.truth(world):
        answer = await gateway.ask(truth.operation, truth.request)
        assert answer.data == truth.answer, truth.request
        assert answer.provenance is None
        line = node.understood()
        assert line["operation"] == NAMES[truth.operation]
        assert line["asked"].pop("MaYeuCau") not in seen
        assert line["asked"] == asked(truth)
        seen.add(truth.operation)
    assert seen == NAMES.keys()


async def test_how_many_are_found_decides(gateway: Gateway, node: Node) -> None:
    with pytest.raises(NoRecord):
        await gateway.ask("person", NOBODY)
    with pytest.raises(Ambiguous):
        await gateway.ask("person", TWINS)
    for _ in range(2):
        node.understood()


async def test_a_fault_is_a_fault_whatever_its_http_status(gateway: Gateway, node: Node) -> None:
    # node's package sends faults with 200.
    with pytest.raises(UpstreamRefused, match="SaiCuPhap"):
        await gateway.ask("person", {"personal_id": "079099500002"})
    node.understood()


async def test_what_only_looks_like_a_fault_is_data(gateway: Gateway, node: Node) -> None:
    answer = await gateway.ask("person", NAMED)
    assert answer.data["other_name"] == "soap:Fault"
    node.understood()


async def test_what_node_lets_pass_the_contract_does_not(gateway: Gateway, node: Node) -> None:
    with pytest.raises(UpstreamUnreadable):
        await gateway.ask("person", BROKEN)
    node.understood()
