"""The developers' pages: complete, small, self-contained, bilingual, usable by keyboard; every link leads on."""

import re
from itertools import pairwise
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

import pytest
from lxml import html

from adapters import DATABASES
from routes.developers.example import HEADERS
from routes.developers.pages import SNIPPETS
from routes.soap.names import camel
from schemas.exchange import Database
from schemas.fields import shape_of
from tests.test_docs.pages import ROOT
from tests.test_gateway.live import Live
from tests.test_snippets.conftest import get

PATHS = ["/docs/soap", *(f"/docs/soap/{name}" for name in ("dossiers", *(database.name for database in DATABASES)))]
every_page = pytest.mark.parametrize("path", PATHS)


@every_page
def test_a_page_is_small_and_loads_from_the_gateway_alone(live: Live, path: str) -> None:
    with urlopen(live.described["gateway"] + path) as answer:
        body, policy = answer.read(), answer.headers["Content-Security-Policy"]
    assert len(body) < 100_000
    directives = {name: sources for name, *sources in (part.split() for part in policy.split(";"))}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == ["'self'"]
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/=]+'", source) for source in directives["style-src"])
    document = html.fromstring(body.decode())
    assert document.get("lang") == "vi"
    assert document.xpath("//*[@lang='en']")
    assert not document.xpath("//@style | //@onclick | //script[text()] | //img | //link | //iframe")
    (script,) = document.xpath("//script/@src")
    assert b"clipboard" in get(live, urljoin(path, script))


@every_page
def test_every_link_leads_on(live: Live, path: str) -> None:
    gateway = live.described["gateway"]
    document = html.fromstring(get(live, path).decode())
    links = set(document.xpath("//a/@href"))
    assert len(links) > 5
    for link in links:
        address = urlsplit(urljoin(gateway + path, link))
        assert f"{address.scheme}://{address.netloc}" == gateway, link
        if link.startswith("#"):
            assert document.xpath(f"//*[@id='{link[1:]}']"), link
        else:
            assert get(live, address.path + (f"?{address.query}" if address.query else "")), link


@every_page
def test_the_keyboard_reaches_every_block_and_headings_do_not_skip(live: Live, path: str) -> None:
    document = html.fromstring(get(live, path).decode())
    assert all(block.get("tabindex") == "0" for block in document.xpath("//pre"))
    assert document.xpath("//th/@scope")
    ids = document.xpath("//@id")
    assert len(ids) == len(set(ids))
    ranks = [int(heading.tag[1]) for heading in document.xpath("//h1 | //h2 | //h3")]
    assert ranks[0] == 1
    assert ranks.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(ranks))


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_every_field_and_every_snippet_is_there(live: Live, database: Database) -> None:
    document = html.fromstring(get(live, f"/docs/soap/{database.name}").decode())
    said = {code.text_content() for code in document.xpath("//td/code")}
    for operation in database.operations:
        assert operation.title.vi in document.text_content()
        assert operation.title.en in document.text_content()
        for member in shape_of(operation.question).members:
            assert {member.name, camel(member.name)} <= said
        for path in shape_of(operation.answer).paths():
            assert any(re.sub(r"\[\]", "", each) == path for each in said), path
    assert len(document.xpath("//pre[contains(@id, '-rest') or contains(@id, '-soap')]")) == len(SNIPPETS) * len(
        database.operations
    )


def test_the_examples_say_what_the_samples_of_the_demo_say(live: Live) -> None:
    assert all(sample["headers"] == HEADERS for sample in live.questions.values())


@pytest.mark.parametrize("name", ["zeep_wsse.py", "soap_answer.py"])
def test_what_is_to_be_copied_is_served_as_it_is(live: Live, name: str) -> None:
    assert get(live, f"/docs/clients/{name}") == (ROOT / "docs/clients" / name).read_bytes()
