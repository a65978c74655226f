"""A rotation of the log's key as operators and callers meet it: what the command records, and what goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from security.audit.checkpoint import VerifierKey, taken_apart
from tests.test_commands.conftest import Deployment, printed, quick, wait_for
from tests.test_commands.exchanged import checked
from tests.test_commands.test_running_gateway import call, token


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split()


def signers(note: str) -> list[str]:
    return [line.blob[:4].hex() for line in taken_apart(note)[2]]


def test_the_entry_names_both_keys_and_the_end_of_the_overlap(deployed: Deployment) -> None:
    printed("keys", "rotate", "log", "--overlap", "2h", *deployed.config)
    new, old = quick("keys", "export", "log", *deployed.config).stdout.splitlines()
    told = deployed.entries()[-1]
    assert told["kind"] == "key-rotation"
    details = told["details"]
    assert (details["verifier_key"], details["replaces_verifier_key"]) == (new, old)
    assert (details["key"], details["replaces"], details["overlap_s"]) == ("log-2", "log-1", 7200)


def test_what_is_exported_is_one_kind_of_key_or_all(deployed: Deployment) -> None:
    assert printed("keys", "export", "log", *deployed.config).keys() == {"origin", "log"}
    assert printed("keys", "export", "token", *deployed.config).keys() == {"origin", "token"}
    assert printed("keys", "export", *deployed.config).keys() == {"origin", "log", "token"}
    refused = quick("keys", "export", "period", *deployed.config)
    assert (refused.exit_code, "no public keys" in refused.stderr) == (2, True)


@pytest.mark.parametrize("generation", [1, 2])
def test_a_copy_is_put_back_with_a_checkpoint_of_the_overlap_and_either_key(
    deployed: Deployment, tmp_path: Path, generation: int
) -> None:
    printed("keys", "rotate", "log", "--overlap", "7d", *deployed.config)
    backup, newest = tmp_path / "copy", tmp_path / "newest"
    printed("storage", "backup", str(backup), *deployed.config)
    newest.write_text(quick("audit", "checkpoint", *deployed.config).stdout, encoding="utf-8")
    assert len(signers(newest.read_text())) == 2
    deployed.database.unlink()
    (deployed.directory / "keys" / f"log.{3 - generation:04}.key").unlink()
    printed("storage", "restore", str(backup), "--checkpoint", str(newest), *deployed.config)
    assert deployed.entries()[-1]["details"]["action"] == "storage-restore"


def test_a_running_gateway_goes_on_for_who_has_the_old_key(demo: dict[str, Any], tmp_path: Path) -> None:
    at, handed_out = ("--config", demo["config"]), Path(demo["log_key"])
    old = tmp_path / "old.vkey"
    old.write_bytes(handed_out.read_bytes())
    printed("keys", "rotate", "log", "--overlap", "2h", *at)
    wait_for(lambda: len(lines(handed_out)) == len(lines(old)) + 1, "the new key beside demo.json")
    assert quick("reload", *at).exit_code == 0
    both = [VerifierKey.decode(each).key_id.hex() for each in lines(handed_out)[:2]]
    client, sample = demo["clients"]["ministry"], demo["samples"]["population/person"]
    access = token(demo, client["client_id"], client["client_secret"])[1]["access_token"]

    def answered() -> Any:
        headers = {name.replace("-", "_"): value for name, value in sample["headers"].items()}
        asked = {"Authorization": f"Bearer {access}", "Content_Type": "application/json", "Lgsp_Receipt": "full"}
        body = json.dumps(sample["body"]).encode()
        status, answer = call(f"{demo['gateway']}/v1/population/person", body, **headers, **asked)
        assert status == 200
        return answer if signers(answer["receipt"]["checkpoint"])[:2] == both else None

    answer = wait_for(answered, "a receipt under the new key")
    received, note = tmp_path / "answer.json", tmp_path / "note.txt"
    received.write_text(json.dumps(answer), encoding="utf-8")
    checked(received, old)
    checked(received, handed_out)
    for path in ("/v1/audit/checkpoint", "/v1/audit/log/checkpoint"):
        with urlopen(demo["gateway"] + path) as reply:
            note.write_bytes(reply.read())
        checked(note, old)
    with urlopen(demo["gateway"] + "/v1/audit/keys") as reply:
        new_period, old_period = json.load(reply)["keys"][:2]
    assert old_period["first_size"] < new_period["first_size"] <= old_period["last_size"] == new_period["last_size"]
    # The witness takes it up by itself, or believes the old one as long.
    assert printed("audit", "verify", "--against", "demo", *at)["valid"]
