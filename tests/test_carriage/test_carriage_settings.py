"""What cannot work is refused before the first question, by name and with what to write; `lgsp check` says the same."""

from pathlib import Path

import pytest

from adapters import DATABASES
from config.settings import ConfigurationError, Settings, load
from routes.diagnosis import configuration
from routes.findings import Finding
from sandbox.pki import Pki

ROAD = 'client = "VN/GOV/H26/lgsp"\nprovider = "VN/GOV/G12/dkdn"\n'


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The settings of a signing source."""
    pki = Pki(tmp_path_factory.mktemp("pki"))
    ours, theirs = pki.gateway_signing(), pki.registry("population")
    return f'key = "{ours.key}"\ncertificate = "{ours.certificate}"\nsigner = "{theirs.certificate}"\n'


def written(folder: Path, name: str, endpoint: str, carrier: str, table: str) -> Settings:
    """The settings of one endpoint with the table of its carrier."""
    path = folder / "lgsp.toml"
    path.write_text(
        f'[endpoints.{name}]\nurl = "https://ss.example"\n{endpoint}\n[endpoints.{name}.{carrier}]\n{table}'
    )
    return load(path)


def found(settings: Settings, name: str) -> list[Finding]:
    """What `lgsp check` finds about an endpoint."""
    return [one for one in configuration(settings, DATABASES) if one.subject == f"endpoints.{name}"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            'client = "VN/GOV/H26"\nprovider = "VN/GOV/G12/dkdn"',
            "xroad.client: Value error, write INSTANCE/CLASS/MEMBER/SUB",
        ),
        ('client = "VN/GOV/H26/a/b"\nprovider = "VN/GOV/G12/dkdn"', "xroad.client: "),
        (
            'client = "VN/GOV/H26/sở"\nprovider = "VN/GOV/G12/dkdn"',
            "letters A-Z a-z, digits and '()+,-.=? only, and 'sở'",
        ),
        ('client = "VN/GOV/H26/a_b"\nprovider = "VN/GOV/G12/dkdn"', "and 'a_b' is none"),
        ('client = "VN/GOV/H26/a b"\nprovider = "VN/GOV/G12/dkdn"', "and 'a b' is none"),
        ('client = "VN/GOV/H26/.."\nprovider = "VN/GOV/G12/dkdn"', "and '..' is none"),
        ('client = "VN/GOV//lgsp"\nprovider = "VN/GOV/G12/dkdn"', "and '' is none"),
        ('client = "VN/GOV/H26/lgsp"', "xroad.provider: Field required"),
        (ROAD + 'service = "a/b"', "xroad.service: Value error, write CODE"),
        (ROAD + 'services = { person = "a%b" }', "xroad.services.person: "),
        (ROAD + 'version = "v 1"', "xroad.version: "),
        (ROAD + 'represented_party = "A/B/C"', "xroad.represented_party: Value error, write CLASS/MEMBER or MEMBER"),
        (
            ROAD + 'security_server = "VN/GOV/G12"',
            "xroad.security_server: Value error, write INSTANCE/CLASS/MEMBER/SERVER",
        ),
        (ROAD + 'user_prefix = "vn"', "xroad.user_prefix: Value error, write a country as VN"),
        (ROAD + 'subsystem = "x"', "xroad.subsystem: there is no such setting"),
    ],
    ids=lambda value: value.replace("\n", " ")[-40:],
)
def test_identifiers_are_of_the_characters_that_x_road_has(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        written(tmp_path, "enterprise", 'via = "xroad"', "xroad", table)
    assert said in str(caught.value)
    assert "endpoints.enterprise.xroad" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('token = "token"', "lgsp.token: Value error, write a path as /token, or a whole address"),
        ('token = "ftp://a/token"', "lgsp.token: Value error, write a path"),
        ('context = "csdldc/1.0"', "lgsp.context: Value error, write a path as /csdldc/1.0"),
        ('context = "/csdldc/1.0/"', "lgsp.context: "),
        ('context = "/csdldc/../1.0"', "lgsp.context: "),
        ('headers = { Authorization = "Basic eA==" }', "'Authorization' is no header that can be set here"),
        ('headers = { "content-type" = "text/plain" }', "'content-type' is no header"),
        ('headers = { "a b" = "1" }', "'a b' is no header"),
        ('headers = { key = "" }', "the value of key is empty"),
        ('headers = { key = "a\\r\\nb: c" }', "the value of key is empty or has characters"),
        ('headers = { key = "1", Key = "2" }', "a header is there twice"),
    ],
    ids=lambda value: value[:40],
)
def test_the_table_of_a_platform_is_read_strictly(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        written(tmp_path, "enterprise", 'via = "lgsp"', "lgsp", table)
    assert said in str(caught.value)


def test_a_header_of_a_platform_may_be_kept_elsewhere_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "access").write_text("eyJTZWNyZXRLZXkiOiIxIn0=\n")
    settings = written(tmp_path, "enterprise", 'via = "lgsp"', "lgsp", 'headers = { lgspaccesstoken = "file:access" }')
    assert "eyJTZWNy" not in repr(settings)
    platform = settings.endpoints["enterprise"].lgsp
    assert platform is not None
    assert platform.headers["lgspaccesstoken"].get_secret_value() == "eyJTZWNyZXRLZXkiOiIxIn0="


@pytest.mark.parametrize(
    ("via", "table", "said"),
    [
        ("direct", "lgsp", 'the table lgsp is read with via = "lgsp" only, and via is "direct"'),
        ("lgsp", "xroad", 'the table xroad is read with via = "xroad" only, and via is "lgsp"'),
    ],
)
def test_a_table_that_nobody_reads_is_refused(tmp_path: Path, via: str, table: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        written(tmp_path, "enterprise", f'via = "{via}"', table, ROAD if table == "xroad" else "")
    assert said in str(caught.value) or f'via = "{via}" needs the table {via}' in str(caught.value)


@pytest.mark.parametrize("via", ["lgsp", "xroad"])
def test_a_way_without_its_table_is_refused(tmp_path: Path, via: str) -> None:
    path = tmp_path / "lgsp.toml"
    path.write_text(f'[endpoints.enterprise]\nurl = "https://ss.example"\nvia = "{via}"\n')
    with pytest.raises(ConfigurationError, match=f'via = "{via}" needs the table {via}'):
        load(path)


@pytest.mark.parametrize(
    ("name", "endpoint", "table", "said"),
    [
        ("enterprise", "", ROAD, "[endpoints.enterprise.xroad] needs service"),
        ("enterprise", "", ROAD + 'service = "a"\nversion = "v1"', "version is for SOAP"),
        ("enterprise", "", ROAD + 'service = "a"\nservices = { enterprise = "b" }', "services is for SOAP"),
        ("enterprise", "", ROAD + 'service = "a"\nservices = { other = "b" }', "services.other: no such operation"),
        ("tax", "", ROAD, "X-Road carries SOAP 1.1 only"),
        ("population", "", ROAD + 'service = "a"', "xroad.service is for REST"),
        ("population", "", ROAD + 'services = { person = "b" }', "wants it to be called as its service"),
        ("population", 'username = "u"', ROAD, "username cannot be used through X-Road"),
        ("population", 'params = { MaCanBo = "1", x_road_client = "a" }', ROAD, "params.x_road_client is for a log-in"),
        ("tax", 'username = "u"', ROAD, "username is for a log-in at the source, and none is done"),
    ],
    ids=[
        "no-service",
        "rest-version",
        "rest-services",
        "no-operation",
        "soap-1.2",
        "soap-service",
        "other-name",
        "basic",
        "header",
        "no-login",
    ],
)
def test_what_cannot_go_through_x_road_is_a_problem(
    tmp_path: Path, keys: str, name: str, endpoint: str, table: str, said: str
) -> None:
    more = "" if "params" in endpoint or name != "population" else 'params = { MaCanBo = "1" }\n'
    signs = keys if name in ("population", "tax") else ""
    settings = written(tmp_path, name, f'via = "xroad"\n{endpoint}\n{more}{signs}', "xroad", table)
    problems = [one.text for one in found(settings, name) if one.level == "problem"]
    assert any(said in text for text in problems), problems


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("", "needs username and secret: the platform gives its token for them"),
        ('username = "u"', "needs username and secret"),
        (
            'username = "u"\nsecret = "s"\nparams = { client_id = "1" }',
            "params.client_id is for the source's own log-in",
        ),
    ],
    ids=["nothing", "no-secret", "params"],
)
def test_what_cannot_go_through_a_platform_is_a_problem(tmp_path: Path, endpoint: str, said: str) -> None:
    settings = written(tmp_path, "enterprise", f'via = "lgsp"\n{endpoint}', "lgsp", "")
    (problem, *_) = [one for one in found(settings, "enterprise") if one.level == "problem"]
    assert said in problem.text


@pytest.mark.parametrize("behind", ["/r1", "/?a=b", "#a"])
def test_the_address_of_a_security_server_has_nothing_behind_it(tmp_path: Path, behind: str) -> None:
    path = tmp_path / "lgsp.toml"
    table = f'[endpoints.enterprise.xroad]\n{ROAD}service = "dkdn"'
    path.write_text(f'[endpoints.enterprise]\nvia = "xroad"\nurl = "https://ss.example{behind}"\n{table}')
    (problem,) = [one for one in found(load(path), "enterprise") if one.level == "problem"]
    assert "url is that of the security server, https://host[:port] and nothing behind it" in problem.text


def test_credentials_in_the_address_are_refused_on_the_way_to_a_platform(tmp_path: Path) -> None:
    path = tmp_path / "lgsp.toml"
    path.write_text(
        '[endpoints.enterprise]\nurl = "https://u:p@lgsp.example"\nvia = "lgsp"\nusername = "u"\nsecret = "s"\n'
        "[endpoints.enterprise.lgsp]\n"
    )
    problems = [one.text for one in found(load(path), "enterprise") if one.level == "problem"]
    assert any("takes no user in url" in text for text in problems)


def test_what_is_right_is_in_order_and_what_may_fail_on_the_way_is_said(tmp_path: Path, keys: str) -> None:
    endpoint = f'via = "xroad"\nparams = {{ MaCanBo = "1" }}\n{keys}'
    findings = found(written(tmp_path, "population", endpoint, "xroad", ROAD), "population")
    assert [one.level for one in findings] == ["warning", "ok"]
    assert "person cannot be reached through a security server of version 7.8" in findings[0].text
    assert "begins with TraCuuThongTinCongDan and ends in Response" in findings[0].text
    assert findings[0].next is not None
    assert "no other name" in findings[0].next
    assert findings[1].text == "serves match, relation"
    rest = written(tmp_path, "enterprise", 'via = "xroad"', "xroad", ROAD + 'service = "dkdn"')
    assert [one.level for one in found(rest, "enterprise")] == ["ok"]
