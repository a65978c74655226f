"""Whatever a source says, a SOAP caller reads the same: every string byte for byte, absent, null and empty apart."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zeep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters import DATABASES
from routes.soap.answers import answer_writer
from routes.soap.wsdl import database_wsdl
from schemas.exchange import Answer, Database, Notice, Operation, Provenance
from schemas.fields import shape_of
from security.audit.canonical import canonical as committed
from security.xml import compile_schema
from tests.test_soap_contract.test_contract import EACH, OPERATIONS
from tests.test_soap_face.both import camel, pascal
from tests.test_soap_face.generated import TEXT, record
from tests.test_soap_face.reading import Contract, canonical, snake
from tests.test_soap_face.test_every_error import Shown

EXAMPLES = settings(
    max_examples=120,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CONTRACTS = {database.name: database_wsdl(database, "http://x") for database in DATABASES}
SCHEMAS = {name: compile_schema(text) for name, text in CONTRACTS.items()}
READERS = {name: Contract(text) for name, text in CONTRACTS.items()}
SIGNED = Provenance("CN=Bộ <Công an>", "sha256:00", datetime(2026, 11, 30, tzinfo=UTC), revocation="good")


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zeep.Client]:
    """What zeep makes of each contract."""
    folder = tmp_path_factory.mktemp("contracts")
    made = {}
    for name, text in CONTRACTS.items():
        path: Path = folder / f"{name}.wsdl"
        path.write_bytes(text)
        made[name] = zeep.Client(str(path))
    return made


def written(database: Database, operation: Operation, data: dict[str, Any], **more: Any) -> bytes:
    answer = Answer(data, fields=("a.b_c",), canonical=committed(data), receipt=Shown(), **more)  # type: ignore[arg-type]
    return answer_writer(database, operation)("01a22e23-8e7b-7997-8fed-2f8facfb0fdb", answer, None)


@EACH
def test_data_is_read_back_as_it_was(database: Database, operation: Operation) -> None:
    reader, schema = READERS[database.name], SCHEMAS[database.name]

    @EXAMPLES
    @given(record(database, shape_of(operation.answer)))
    def check(data: dict[str, Any]) -> None:
        payload = written(database, operation, data)
        wrapper = etree.fromstring(payload)
        assert reader.data(wrapper) == data
        # What opens the receipt's commitment can be had from the XML alone.
        assert canonical(reader.data(wrapper)) == committed(data)
        assert schema.validate(wrapper), schema.error_log
        assert etree.tostring(wrapper, method="c14n", exclusive=True) == payload

    check()


def thin(value: Any) -> Any:
    """Data as zeep has them: it tells absent, nil and empty not apart, a list from one of nothing neither."""
    if isinstance(value, dict):
        return {name: shown for name, inside in value.items() if (shown := thin(inside)) not in (None, "", {}, [])}
    if isinstance(value, list):
        return [thin(each) for each in value if thin(each) not in (None, "", {}, [])]
    return value


def named(value: Any) -> Any:
    """Members as elements have them, lists as their `item`."""
    if isinstance(value, dict):
        return {camel(name): named(inside) for name, inside in value.items()}
    return {"item": [named(each) for each in value]} if isinstance(value, list) else value


@EACH
def test_zeep_reads_the_same(clients: dict[str, zeep.Client], database: Database, operation: Operation) -> None:
    client = clients[database.name]
    element = client.get_element(f"{{urn:lgsp:{database.name}:1}}{pascal(operation.name)}Response")

    @settings(EXAMPLES, max_examples=40)
    @given(record(database, shape_of(operation.answer)))
    def check(data: dict[str, Any]) -> None:
        found = element.parse(etree.fromstring(written(database, operation, data)), client.wsdl.types)
        read = zeep.helpers.serialize_object(found, dict)["data"]
        assert (thin(read) or {}) == thin(named(data))

    check()


def test_names_of_elements_lead_back_to_members() -> None:
    for database, operation in OPERATIONS:
        for path in shape_of(operation.answer).paths():
            name = path.rpartition(".")[2]
            assert snake(camel(name)) == name, f"{database.name}/{operation.name}: {path}"


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=3), st.booleans(), TEXT)
def test_what_is_said_beside_the_data(notices: list[tuple[str, str]], signed: bool, signer: str) -> None:
    database, operation = OPERATIONS[0]
    warnings = tuple(Notice(code, "/data/old_id_card", detail) for code, detail in notices)
    proven = Provenance(signer, "sha256:00", SIGNED.signed_at) if signed else None
    payload = written(database, operation, {}, warnings=warnings, provenance=proven)
    wrapper = etree.fromstring(payload)
    assert SCHEMAS[database.name].validate(wrapper), SCHEMAS[database.name].error_log
    assert etree.tostring(wrapper, method="c14n", exclusive=True) == payload
    reader = READERS[database.name]
    declared = reader._inside(reader.element(str(wrapper.tag)))[1]
    exchange = reader.value(wrapper[1], declared["exchange"])
    assert [(one["code"], one["detail"]) for one in exchange["warnings"]] == notices
    assert {one["pointer"] for one in exchange["warnings"]} <= {"/PersonResponse/data/oldIdCard"}
    assert exchange["fields"] == ["a.bC"]
    assert (exchange["signature"] and exchange["signature"]["signer"]) == (signer if signed else None)
    assert reader.value(wrapper[2], declared["receipt"])["salt"] is None
