"""`lgsp check` and `lgsp serve` know `[endpoints.portal]`, and miss nothing where it is left out."""

from pathlib import Path

import pytest

from adapters import DATABASES, destinations
from adapters.dispatch import served
from config.settings import ConfigurationError, Endpoint, Settings, load
from routes.diagnosis import configuration

SOUND = 'url = "https://portal.example"\nusername = "H26"\nsecret = "s"\n'
ANYWHERE = Endpoint(url="http://127.0.0.1:9")


def settings(folder: Path, text: str) -> Settings:
    path = folder / "lgsp.toml"
    path.write_text(text)
    return load(path)


def found(folder: Path, text: str) -> list[tuple[str, str]]:
    """What `lgsp check` says about the portal: level and text."""
    return [
        (one.level, one.text)
        for one in configuration(settings(folder, text), DATABASES)
        if one.subject.startswith("endpoints.portal")
    ]


@pytest.mark.parametrize("params", ['madonvi = "H26"', 'generation = "2"'], ids=["first", "second"])
def test_a_sound_section_is_said_to_be_so(tmp_path: Path, params: str) -> None:
    ((level, text),) = found(tmp_path, f"[endpoints.portal]\n{SOUND}params = {{ {params} }}\n")
    assert level == "ok"
    assert text.startswith("serves register, progress, look-up")


def test_a_flaw_is_named_once(tmp_path: Path) -> None:
    assert found(tmp_path, f"[endpoints.portal]\n{SOUND}") == [
        ("problem", "[endpoints.portal]: needs params.madonvi: the code of the unit in whose name is sent")
    ]


def test_it_may_be_left_out(tmp_path: Path) -> None:
    assert found(tmp_path, "") == []


def test_it_is_served_beside_the_databases_that_are_asked() -> None:
    endpoints = {"tax": ANYWHERE, "portal": ANYWHERE}
    assert [one.name for one in served(DATABASES, endpoints, destinations(endpoints))] == ["tax"]
    assert [one.name for one in served(destinations(endpoints), endpoints, DATABASES)] == ["portal"]
    assert served(destinations(()), {"tax": ANYWHERE}, DATABASES) == ()
    with pytest.raises(ConfigurationError, match=r"\[endpoints\.portall\]: no operation uses it; known are .*portal"):
        served(DATABASES, {"portall": ANYWHERE}, destinations(("portall",)))


def test_another_generation_of_it_is_another_destination(tmp_path: Path) -> None:
    endpoints = {"portal-2": ANYWHERE, "portal": ANYWHERE}
    assert [one.name for one in served(destinations(endpoints), endpoints)] == ["portal", "portal-2"]
    section = f"[endpoints.portal-2]\n{SOUND}"
    ((level, _),) = found(tmp_path, section + "params = { generation = '2' }\n")
    assert level == "ok"
    assert found(tmp_path, section) == [
        ("problem", "[endpoints.portal-2]: needs params.madonvi: the code of the unit in whose name is sent")
    ]
