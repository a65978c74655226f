"""What is public of the log: no authentication, no entry, not for ever as often as somebody likes."""

import pytest

from security.audit.witnessed import keep
from tests.test_audit_rest.office import Office, asked_about

PUBLIC = ("checkpoint", "consistency?from=1&to=2", "keys", "log/checkpoint", "log/tile/0/000.p/1")


@pytest.mark.parametrize("path", PUBLIC)
def test_everybody_may_watch_and_leaves_no_entry(office: Office, path: str) -> None:
    before = office.size()
    told = office.ask(f"/v1/audit/{path}", client=None)
    assert told.status == 200
    assert "Lgsp-Reading" not in told.headers
    assert office.ask(f"/v1/audit/{path}", client=None, Authorization="Bearer nonsense").status == 200
    assert office.size() == before


def test_keys_say_when_they_sign(office: Office) -> None:
    office.log(asked_about("001085012345"))
    told = office.get("/v1/audit/keys", client=None)
    (key,) = told["keys"]
    assert told["origin"] == key["vkey"].partition("+")[0] == office.gateway.log.origin
    assert key["id"] == key["vkey"].split("+")[1]
    assert (key["generation"], key["until"], key["first_size"]) == (1, None, 1)
    assert key["last_size"] == office.checkpoint().size


def test_what_witnesses_cosigned_is_handed_out_where_it_is_asked_for(office: Office) -> None:
    path = "/v1/audit/checkpoint?witnessed=true"
    assert office.ask(path, client=None).status == 404
    note = office.ask("/v1/audit/checkpoint", client=None).body.decode()
    cosigned = f"{note}— witness.example/w {'A' * 99}=\n"
    size = int(note.split("\n")[1])
    office.run(office.gateway.storage.write(lambda connection: keep(connection, "w", size, cosigned, None, 0)))
    office.log(asked_about("001085012345"))
    told = office.ask(path, client=None)
    assert (told.status, told.body.decode()) == (200, cosigned)
    assert office.ask("/v1/audit/checkpoint?witnessed=false", client=None).body.decode() != note
    refused = office.ask("/v1/audit/checkpoint?witnessed=1", client=None)
    assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "witnessed")


def test_one_address_may_ask_only_so_often(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGSP_AUDIT__PUBLIC_REQUESTS_PER_MINUTE", "5")
    office = Office(tmp_path_factory.mktemp("seldom"))
    try:
        told = [office.ask(f"/v1/audit/{path}", client=None) for path in (*PUBLIC, "keys")]
        assert [each.status for each in told] == [200] * 5 + [429]
        assert told[-1].json["code"] == "too-many-requests"
        assert int(told[-1].headers["Retry-After"]) >= 1
        assert told[0].headers["RateLimit-Policy"] == '"public/audit";q=5;w=60'
        # Who is known reads on.
        assert office.ask("/v1/audit/entries?limit=1").status == 200
    finally:
        office.close()
