"""One live demo, and the snippets of its pages as a reader copies them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest
from lxml import html

from adapters import DATABASES
from routes.developers.pages import SNIPPETS
from routes.openapi import sandbox_examples
from routes.openapi_models import pascal
from sandbox.examples import PEOPLE, SEED
from tests.test_gateway.live import Live

MARK = "=====snippet "


class Snippet(NamedTuple):
    """A snippet of an operation, and what the operation's example says is answered."""

    name: str
    element: str
    text: str
    data: dict[str, Any]


Ran = dict[str, str]
Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    demo = Live(tmp_path_factory.mktemp("demo") / "state", seed=SEED, people=PEOPLE)
    yield demo
    assert demo.stop() == 0


def get(live: Live, path: str) -> bytes:
    with urlopen(live.described["gateway"] + path) as answer:
        return bytes(answer.read())


@pytest.fixture(scope="session")
def snippets(live: Live) -> dict[str, list[Snippet]]:
    """By kind of snippet those of all operations."""
    found: dict[str, list[Snippet]] = {kind: [] for kind, _, _ in SNIPPETS}
    examples = sandbox_examples()
    for database in DATABASES:
        page = html.fromstring(get(live, f"/docs/soap/{database.name}").decode())
        for operation in database.operations:
            name, element = f"{database.name}/{operation.name}", pascal(operation.name)
            for kind, several in found.items():
                (block,) = page.xpath(f"//pre[@id='{element[0].lower()}{element[1:]}-{kind}']")
                several.append(Snippet(name, element, block.text_content(), dict(examples[name]["data"])))
    return found


@pytest.fixture(scope="session")
def environment(live: Live) -> dict[str, str]:
    """What the snippets expect, and text in UTF-8."""
    papers = live.described["clients"]["ministry"]
    return {
        **os.environ,
        "LGSP_CLIENT_ID": papers["client_id"],
        "LGSP_CLIENT_SECRET": papers["client_secret"],
        "LGSP_URL": live.described["gateway"],
        "PYTHONWARNINGS": "error",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run a program that prints a line that begins with MARK before each snippet; return what each printed."""

    def running(command: list[str], folder: Path, **options: Any) -> Ran:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False, **options
        )
        assert done.returncode == 0, done.stderr + done.stdout[-2000:]
        assert not done.stderr
        _, *parts = done.stdout.split(MARK)
        return {name: said for name, _, said in (part.partition("\n") for part in parts)}

    return running
