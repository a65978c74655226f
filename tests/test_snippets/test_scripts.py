"""Every snippet of curl, Python and PHP, run as it stands, answers what the page says."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html

from tests.test_gateway.live import Live
from tests.test_snippets.conftest import MARK, Run, Snippet, get
from tests.test_snippets.reading import lean, read, spelled

PYTHON = f"""
import runpy, sys
for name in sys.argv[1:]:
    print({MARK!r} + name, flush=True)
    runpy.run_path(name, run_name="__main__")
"""
PHP = f"""<?php
set_error_handler(static function (int $level, string $text): bool {{ throw new ErrorException($text, 0, $level); }});
foreach (array_slice($argv, 1) as $name) {{
    echo {MARK!r}, $name, "\\n";
    (static function (string $name): void {{ include $name; }})($name);
}}
"""


def written(folder: Path, snippets: list[Snippet], ending: str) -> list[str]:
    names = []
    for snippet in snippets:
        names.append(f"{snippet.element}.{ending}")
        (folder / names[-1]).write_text(snippet.text, encoding="utf-8")
    return names


def data_of(document: str, like: Any) -> Any:
    return read(etree.fromstring(document.strip().encode()).find(".//{*}Body/{*}*/{*}data"), like)


@pytest.mark.parametrize("kind", ["curl-rest", "curl-soap", "curl-soap12"])
def test_curl(kind: str, snippets: dict[str, list[Snippet]], run: Run, tmp_path: Path) -> None:
    names = written(tmp_path, snippets[kind], "sh")
    lines = [f"printf '\\n%s%s\\n' '{MARK}' {name}; . ./{name}" for name in names]
    ran = run(["bash", "-euc", "\n".join(lines)], tmp_path)
    for name, snippet in zip(names, snippets[kind], strict=True):
        if kind == "curl-rest":
            assert json.loads(ran[name])["data"] == snippet.data, name
        else:
            assert data_of(ran[name], snippet.data) == snippet.data, name


def test_curl_of_what_a_caller_may_ask(
    live: Live, snippets: dict[str, list[Snippet]], run: Run, tmp_path: Path
) -> None:
    (block,) = html.fromstring(get(live, "/docs/soap").decode()).xpath("//pre[@id='me-curl-soap']")
    ran = run(["bash", "-euc", f"printf '%s%s\\n' '{MARK}' me\n{block.text_content()}"], tmp_path)
    grants = etree.fromstring(ran["me"].strip().encode()).iterfind(".//{*}grants/{*}item")
    told = {(grant.findtext("{*}address"), grant.findtext("{*}element")) for grant in grants}
    gateway = live.described["gateway"]
    assert told == {
        (f"{gateway}/soap/{snippet.name.partition('/')[0]}", snippet.element) for snippet in snippets["curl-soap"]
    }


@pytest.mark.parametrize("kind", ["python-rest", "python-soap"])
def test_python(kind: str, snippets: dict[str, list[Snippet]], run: Run, tmp_path: Path) -> None:
    names = written(tmp_path, snippets[kind], "py")
    ran = run([sys.executable, "-c", PYTHON, *names], tmp_path)
    for name, snippet in zip(names, snippets[kind], strict=True):
        told = json.loads(ran[name])
        if kind == "python-rest":
            assert told == snippet.data, name
        else:
            assert lean(told) == lean(spelled(snippet.data)), name


def test_php(snippets: dict[str, list[Snippet]], run: Run, tmp_path: Path) -> None:
    names = written(tmp_path, snippets["php-soap"], "php")
    (tmp_path / "run.php").write_text(PHP, encoding="utf-8")
    ran = run(["php", "-d", "soap.wsdl_cache_enabled=0", "run.php", *names], tmp_path)
    for name, snippet in zip(names, snippets["php-soap"], strict=True):
        assert lean(json.loads(ran[name])) == lean(spelled(snippet.data)), name
