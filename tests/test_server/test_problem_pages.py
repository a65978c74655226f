"""The pages behind `type`: one for each code, in two languages, without anything from elsewhere."""

import re
from html.parser import HTMLParser

import pytest
from aiohttp import ClientSession, web

from routes.explanations import EXPLANATIONS, REASONS
from routes.frame import setup
from routes.listening import running
from routes.problems import add_problems, explain, index
from schemas.errors import GatewayError, leaves


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.languages: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.languages += [value or "" for name, value in attrs if name == "lang"]


def test_exactly_the_codes_of_the_tree_are_explained() -> None:
    assert set(EXPLANATIONS) == {error.code for error in leaves()}
    assert set(REASONS) < set(EXPLANATIONS)


@pytest.mark.parametrize("error", list(leaves()), ids=lambda error: error.code)
def test_each_page_says_it_in_both_languages(error: type[GatewayError]) -> None:
    page = explain(error).decode()
    reader = Links()
    reader.feed(page)
    assert {"vi", "en"} <= set(reader.languages)
    assert reader.links == ["../problems"]
    meaning, following = EXPLANATIONS[error.code]
    for text in (*meaning, *following, *error.title, error.code):
        assert text.replace("'", "&#x27;") in page
    assert "url(" not in page


async def test_they_are_served(settings_with) -> None:  # type: ignore[no-untyped-def]
    settings = settings_with()
    app = web.Application()
    setup(app, settings.server)
    add_problems(app.router)
    async with running(settings, app) as serving, ClientSession() as session:
        base = "http://{}:{}".format(*serving.addresses["http"])
        async with session.get(f"{base}/problems") as answer:
            listing = await answer.text()
            assert answer.status == 200
        codes = re.findall(r'href="problems/([a-z-]+)"', listing)
        assert sorted(codes) == sorted(error.code for error in leaves())
        for code in codes:
            async with session.get(f"{base}/problems/{code}") as answer:
                assert answer.status == 200
                assert answer.content_type == "text/html"
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["Cache-Control"] == "public, max-age=3600"
        async with session.get(f"{base}/problems/nonsense") as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, "not-found")
    assert index().decode().count("<tr>") == len(codes)
