"""What is public of the log: no authentication, no entry, not for ever as often as somebody likes."""

import pytest

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
