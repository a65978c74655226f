"""What no module may do, whatever it is for; the rule of rooms itself is checked by import-linter."""

import ast
import importlib
from collections.abc import Iterator

import pytest

from schemas.errors import GatewayError
from tests.test_rules.sources import PACKAGES, called, dotted, imported, product, shown, tree

PARSERS = {
    "fromstring", "fromstringlist", "parse", "XML", "HTML", "iterparse", "XMLParser", "HTMLParser", "XMLPullParser",
    "ETCompatXMLParser", "XMLID", "parseid", "HTMLPullParser",
}  # fmt: skip
XML_MODULES = ("lxml", "xml", "defusedxml")


def parsers_used(module: ast.Module) -> Iterator[str]:
    """Ways to parse XML: names of lxml's and the standard library's, imported or reached through a module."""
    trees = {"etree", "lxml.etree"}
    for name, member in imported(module):
        root = name.partition(".")[0]
        if root in ("xml", "defusedxml", "xmltodict", "bs4") or "objectify" in (member, name.rpartition(".")[2]):
            yield f"{name} {member}".strip()
        if root == "lxml" and (member in PARSERS or name.startswith("lxml.html")):
            yield f"{name} {member}"
    yield from (
        name for _, name in called(module) if name.rpartition(".")[0] in trees and name.split(".")[-1] in PARSERS
    )


def all_called(names: set[str]) -> set[str]:
    """The product's files that call something of this name."""
    return {shown(path) for path in product() for _, name in called(tree(path)) if name.split(".")[-1] in names}


def test_nobody_imports_the_entry_point() -> None:
    found = [shown(path) for path in product() for name, _ in imported(tree(path)) if name.split(".")[0] == "gateway"]
    assert found == []


def test_xml_is_parsed_in_one_place() -> None:
    found = {shown(path): list(parsers_used(tree(path))) for path in product()}
    assert {name for name, ways in found.items() if ways} == {"security/xml.py"}


@pytest.mark.parametrize(
    "code",
    [
        "from lxml import etree\netree.fromstring(b'')",
        "import lxml.etree\nlxml.etree.iterparse('a')",
        "from lxml.etree import XML",
        "from lxml import objectify",
        "import xml.etree.ElementTree as ET",
        "from xml.dom import minidom",
        "def f():\n    from lxml import etree\n    return etree.XMLParser()",
    ],
)
def test_each_way_of_parsing_is_seen(code: str) -> None:
    assert list(parsers_used(ast.parse(code)))


def test_only_one_place_opens_connections() -> None:
    assert all_called({"ClientSession", "TCPConnector"}) == set()
    assert all_called({"create_connection", "start_connection"}) == {"adapters/http_connections.py"}
    # The diagnosis knocks at addresses, the supervisor at its own workers; neither sends a question.
    assert all_called({"open_connection"}) == {"routes/server.py", "routes/knocking.py"}
    others = {"requests", "httpx", "urllib3", "http.client", "urllib.request"}
    assert {shown(path) for path in product() for name, _ in imported(tree(path)) if name in others} == set()


def test_trust_is_given_in_one_room() -> None:
    assert {name.partition("/")[0] for name in all_called({"Trusted"})} == {"security"}


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def described_by_base() -> set[tuple[str, str]]:
    """(class, method) of the abstract classes that say what their methods do, wherever those are made real."""
    return {
        (place.name, node.name)
        for path in product()
        for place in tree(path).body
        if isinstance(place, ast.ClassDef)
        for node in place.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node)
    }


def undocumented(name: str, module: ast.Module, inherited: set[tuple[str, str]]) -> Iterator[str]:
    """Public modules, classes, functions and methods that nothing is said about."""
    if not ast.get_docstring(module):
        yield name
    places: list[tuple[str, ast.Module | ast.ClassDef]] = [("", module)]
    while places:
        at, place = places.pop()
        bases = [dotted(base) for base in place.bases] if isinstance(place, ast.ClassDef) else []
        for node in place.body:
            if not isinstance(node, Definition) or node.name.startswith("_"):
                continue
            said = ast.get_docstring(node) or any((base, node.name) in inherited for base in bases)
            if not said and not any(dotted(one) == "overload" for one in node.decorator_list):
                yield f"{name}:{node.lineno} {at}{node.name}"
            if isinstance(node, ast.ClassDef):
                places.append((f"{at}{node.name}.", node))


def test_everything_public_is_described() -> None:
    inherited = described_by_base()
    found = [line for path in product() for line in undocumented(shown(path), tree(path), inherited)]
    assert found == []
    silent = "class A:\n def b(self): ...\nclass C(D):\n def e(self): ...\n def f(self): ...\n def _g(self): ..."
    assert list(undocumented("a.py", ast.parse(silent), {("D", "e")})) == [
        "a.py", "a.py:1 A", "a.py:3 C", "a.py:5 C.f", "a.py:2 A.b"
    ]  # fmt: skip


def test_every_error_has_a_page_and_both_languages() -> None:
    from routes.explanations import EXPLANATIONS

    for path in product():
        if path.name != "gateway.py":
            importlib.import_module(shown(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    kinds = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    ours = {kind for kind in kinds if kind.__module__.split(".")[0] in PACKAGES}
    assert {kind.code for kind in ours} == EXPLANATIONS.keys()
    for kind in ours:
        assert kind.title.vi
        assert kind.title.en
    told = [text for texts in EXPLANATIONS.values() for text in texts]
    assert all(text.vi and text.en and text.vi != text.en for text in told)
