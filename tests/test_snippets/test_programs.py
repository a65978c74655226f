"""Every snippet of Java and C#, built with the tools that its first line names, answers what the page says."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from tests.test_snippets.conftest import MARK, Run, Snippet
from tests.test_snippets.reading import lean, read

HERE = Path(__file__).parent
# Their manifests name the others.
CLASSES = "/usr/share/java/jaxws-tools.jar:/usr/share/java/jaxws-rt.jar"
# A short run gains nothing from the second compiler; the last one spares a warning about how the library is packaged.
OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Dfile.encoding=UTF-8",
    "-Djavax.xml.soap.SAAJMetaFactory=com.sun.xml.messaging.saaj.soap.SAAJMetaFactoryImpl",
)


def steps(snippets: list[Snippet]) -> list[list[str]]:
    """What the first lines of the snippets say is to be done to a contract, each once."""
    lines = dict.fromkeys(snippet.text.partition("\n")[0] for snippet in snippets)
    return [shlex.split(line.removeprefix("// ")) for line in lines]


def test_java(snippets: dict[str, list[Snippet]], run: Run, tmp_path: Path) -> None:
    several = snippets["java-soap"]
    for snippet in several:
        (tmp_path / f"Ask{snippet.element}.java").write_text(snippet.text, encoding="utf-8")
    contracts = []
    for program, keep, named, package, contract in steps(several):
        assert (program, keep, named) == ("wsimport", "-keep", "-p")
        contracts += [package, contract]
    driver = str(HERE / "java" / "Snippets.java")
    ran = run(["java", *OPTIONS, "-cp", CLASSES, driver, str(tmp_path), MARK, *contracts], tmp_path)
    assert len(ran) == len(several)
    for snippet in several:
        told = read(etree.fromstring(ran[f"Ask{snippet.element}"].strip().encode()), snippet.data)
        assert lean(told) == lean(snippet.data), snippet.name


@pytest.fixture(scope="module")
def built(snippets: dict[str, list[Snippet]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All snippets of C# in one program."""
    folder = tmp_path_factory.mktemp("mono")
    commands = steps(snippets["csharp-soap"])
    assert {program for program, *_ in commands} == {"wsdl"}
    running = [
        subprocess.Popen(each, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for each in commands
    ]
    for tool in running:
        said, _ = tool.communicate(timeout=60)
        assert tool.returncode == 0, said
        assert "Warning" not in said
    generated = [out.removeprefix("-out:") for *_, out in commands]
    for kind in ("csharp-rest", "csharp-soap"):
        for snippet in snippets[kind]:
            generated.append(f"{snippet.element}-{kind}.cs")
            (folder / generated[-1]).write_text(snippet.text, encoding="utf-8")
    libraries = [f"-r:{name}" for name in ("System.Web.Services", "System.Net.Http")]
    driver = str(HERE / "mono" / "Snippets.cs")
    command = ["mcs", "-codepage:utf8", "-main:Snippets", "-out:snippets.exe", *libraries, driver, *generated]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_csharp(snippets: dict[str, list[Snippet]], built: Path, run: Run) -> None:
    ran = run(["mono", "snippets.exe", MARK], built)
    for snippet in snippets["csharp-rest"]:
        assert json.loads(ran[f"Ask{snippet.element}OverRest"])["data"] == snippet.data, snippet.name
    for snippet in snippets["csharp-soap"]:
        told = read(etree.fromstring(ran[f"Ask{snippet.element}OverSoap"].strip().encode()), snippet.data)
        assert lean(told) == lean(snippet.data), snippet.name
