"""What the page for agencies says about call-backs agrees with the code."""

from pathlib import Path

from sync.callback_sender import EVENTS
from tests.test_docs.pages import blocks, rows, section, text_of

PAGE = section(text_of("docs/dossiers.md"), "### 4.2 Call-backs")
SCRIPT = Path(__file__).parents[2] / "docs" / "clients" / "webhook_receiver.py"


def test_every_type_is_listed() -> None:
    table = PAGE.split("| `type` | when |")[1].partition("\n\n")[0]
    assert [row[0].strip("`") for row in rows("| `type` | when |" + table)] == [*EVENTS, "callback.test"]


def test_what_receivers_check_with_is_that_of_the_script() -> None:
    (shown,) = [block for block in blocks(PAGE) if block.startswith("def verified")]
    assert shown in SCRIPT.read_text(encoding="utf-8")
