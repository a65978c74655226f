"""`lgsp wsdl` prints what the gateway serves."""

import pytest

from routes.soap.dossiers_contract import dossiers_wsdl
from routes.soap.me import me_wsdl
from routes.soap.wsdl import database_wsdl
from tests.test_commands.conftest import lgsp, quick

URL = "https://lgsp.example.vn"


@pytest.mark.parametrize("soap", ["", "1.1", "1.2"])
@pytest.mark.parametrize("name", ["population", "civil-status", "me", "dossiers"])
def test_a_contract_is_printed_as_it_is_served(name: str, soap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters import DATABASES

    monkeypatch.setenv("LGSP_SERVER__PUBLIC_URL", URL)
    versions = ("1.1", "1.2") if not soap else (soap,)
    (served,) = [database for database in DATABASES if database.name == name] or [None]
    own = {"me": me_wsdl, "dossiers": dossiers_wsdl}.get(name)
    wanted = own(URL, versions) if own is not None else database_wsdl(served, URL, versions)  # type: ignore[arg-type]
    printed = quick("wsdl", name, *(("--soap", soap) if soap else ()))
    assert printed.exit_code == 0
    assert printed.stdout_bytes == wanted


def test_what_does_not_exist_is_wrong_use() -> None:
    unknown = lgsp("wsdl", "vehicle")
    assert unknown.returncode == 2
    assert "population" in unknown.stderr
    assert "me" in unknown.stderr
    assert lgsp("wsdl", "population", "--soap", "1.3").returncode == 2
