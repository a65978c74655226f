"""Every server under test by name: which gateway build over which keys, which rival, grown or not, on which cores."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.gateways import Signing, deploy, question, serve
from bench.growth import prepare
from bench.measuring import Stage, Subject
from bench.peers import RIVALS, Absent, Place
from bench.processes import tell


@dataclass(frozen=True, slots=True)
class Build:
    """A gateway under test: kind of key (None: unsigned), options of the bench build, worker processes.

    `grown`: its log and its clients are grown before it starts. `spread`: it may use every core. `soap`: it is asked
    over SOAP by a caller who signs, and signs its answers.
    """

    keys: Literal["ecdsa", "rsa"] | None = "ecdsa"
    options: tuple[str, ...] = ()
    workers: int = 1
    grown: bool = False
    spread: bool = False
    soap: bool = False


BUILDS: Final[Mapping[str, Build]] = {
    "full_ecdsa": Build(),
    "soap_signed": Build(soap=True),
    "full_rsa": Build(keys="rsa"),
    "unsigned": Build(keys=None, options=("--unsigned",)),
    "evidence_in_memory": Build(options=("--memory",)),
    "million_entries": Build(grown=True),
    "one_worker": Build(spread=True),
    "two_workers": Build(workers=2, spread=True),
}

# What is compared stands side by side, so that both see the same of whatever else the machine does.
ORDER: Final = (
    "node_soap",
    "full_ecdsa",
    "soap_signed",
    "million_entries",
    "evidence_in_memory",
    "unsigned",
    "php_soap",
    "full_rsa",
    "flask_zeep",
    "one_worker",
    "two_workers",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where servers are started: stage and keys, directories for gateways and rivals, size of the grown state."""

    stage: Stage
    signings: Mapping[str, Signing]
    directory: Path
    rivals: Path
    stack: ExitStack
    entries: int
    clients: int


def started(names: Sequence[str], ground: Ground) -> tuple[list[Subject], dict[str, str]]:
    """Start these servers, each answering as it should; return them, and those that cannot be here with the reason."""
    subjects: list[Subject] = []
    absent: dict[str, str] = {}
    for name in names:
        try:
            subject = _rival(name, ground) if name in RIVALS else _gateway(name, BUILDS[name], ground)
        except Absent as missing:
            absent[name] = str(missing)
            continue
        ground.stage.ready(subject)
        subjects.append(subject)
        tell(f"{name} answers")
    return subjects, absent


def _gateway(name: str, build: Build, ground: Ground) -> Subject:
    stage = ground.stage
    upstream = stage.ports[build.keys or "unsigned"]
    signing = ground.signings[build.keys] if build.keys else None
    deployed = deploy(ground.directory / name, upstream, signing, build.workers, soap=build.soap)
    if build.grown:
        asyncio.run(prepare(deployed.state, entries=ground.entries, clients=ground.clients))
    pid = serve(deployed, ground.stack, stage.cores if build.spread else stage.server_cores, build.options)
    signer = tuple(map(str, deployed.signer)) if build.soap else ()
    asked = b"" if build.soap else question(deployed)
    return Subject(name, (pid,), deployed.port, asked, gateway=True, spread=build.spread, signer=signer)


def _rival(name: str, ground: Ground) -> Subject:
    stage = ground.stage
    endpoint = f"http://127.0.0.1:{stage.ports['unsigned']}/thue"
    rival = RIVALS[name](Place(ground.rivals, ground.stack, stage.server_cores, endpoint))
    return Subject(name, rival.pids, rival.port, rival.question(), gateway=False)
