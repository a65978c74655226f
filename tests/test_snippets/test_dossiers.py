"""The page about dossiers over SOAP: every member is there, and every snippet does what it shows."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html

from routes.developers.dossiers import EXAMPLES, SNIPPETS
from schemas.dossiers.models import DossierBody, StatusEvent
from schemas.fields import shape_of
from tests.test_gateway.live import Live
from tests.test_snippets.conftest import get

RUN: dict[str, Callable[[str], list[str]]] = {
    "curl-soap": lambda file: ["bash", "-eu", file],
    "curl-soap12": lambda file: ["bash", "-eu", file],
    "python-soap": lambda file: [sys.executable, file],
    "php-soap": lambda file: ["php", "-d", "soap.wsdl_cache_enabled=0", "-d", "display_errors=stderr", file],
}


@pytest.fixture(scope="module")
def page(live: Live) -> html.HtmlElement:
    return html.fromstring(get(live, "/docs/soap/dossiers").decode())


def test_every_member_of_what_is_pushed_is_there(page: html.HtmlElement) -> None:
    said = {re.sub(r"\[\]", "", code.text_content()) for code in page.xpath("//td/code")}
    assert {f"dossier.{path}" for path in shape_of(DossierBody).paths()} <= said
    assert {f"events.{path}" for path in shape_of(StatusEvent).paths()} <= said
    assert {"timeline.duration_ms", "timeline/item/durationMs", "items.attempts.outcome", "results.line"} <= said


@pytest.mark.parametrize("kind", [name for name, _, _ in SNIPPETS])
def test_every_snippet_does_what_it_shows(live: Live, page: html.HtmlElement, kind: str, tmp_path: Path) -> None:
    papers = live.described["clients"]["province"]
    proof = {"LGSP_CLIENT_ID": papers["client_id"], "LGSP_CLIENT_SECRET": papers["client_secret"]}
    # Another dossier and other keys for each kind, or the second would only be told what the first was.
    code = f"000.00.00.H26-260105-{sorted(RUN).index(kind) + 1:04}"
    told: dict[str, Any] = {}
    for element in EXAMPLES:
        (block,) = page.xpath(f"//pre[@id='{element}-{kind}']")
        file = tmp_path / element
        text = block.text_content().replace("000.00.00.H26-260105-0001", code).replace("hs-0001", f"{kind}-1")
        file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            RUN[kind](str(file)),
            env={**os.environ, **proof, "PYTHONWARNINGS": "error", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        told[element] = read(done.stdout) if kind.startswith("curl") else json.loads(done.stdout)
    assert (told["RegisterDossier"]["code"], told["RegisterDossier"]["result"]) == (code, "accepted")
    assert (told["PushStatus"]["code"], told["PushStatus"]["result"]) == (code, "accepted")
    assert "duplicate" in json.dumps(told["PushStatuses"])
    assert "Nguyễn Văn An" in json.dumps(told["GetDossier"], ensure_ascii=False)
    assert told["ListDeliveries"] is not None


def read(document: str) -> Any:
    """The members of the answer as far as they are values, and all its text."""
    (answer,) = etree.fromstring(document.encode()).find("{*}Body")
    assert not answer.tag.endswith("}Fault"), document
    return {etree.QName(each).localname: "".join(each.itertext()) for each in answer}
