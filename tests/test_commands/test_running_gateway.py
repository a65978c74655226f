"""Commands against a gateway that runs: what they change counts there, without a restart."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.test_commands.conftest import SCRIPT, Deployment, lgsp, printed, quick, wait_for

pytestmark = pytest.mark.xdist_group("commands-demo")
# Nothing on the way between a test and its gateway.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(url: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with OPENER.open(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def token(demo: dict[str, Any], client_id: str, secret: str) -> tuple[int, Any]:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    kind = "application/x-www-form-urlencoded"
    return call(f"{demo['gateway']}/oauth2/token", form, Authorization=f"Basic {basic}", Content_Type=kind)


def look_up(demo: dict[str, Any], access: str) -> tuple[int, Any]:
    sample = demo["samples"]["population/person"]
    headers = {name.replace("-", "_"): value for name, value in sample["headers"].items()}
    body = json.dumps(sample["body"]).encode()
    bearer = f"Bearer {access}"
    url = f"{demo['gateway']}/v1/population/person"
    return call(url, body, Authorization=bearer, Content_Type="application/json", **headers)


def test_a_client_from_registration_to_revocation(demo: dict[str, Any]) -> None:
    at = ("--config", demo["config"])
    (added,) = printed("clients", "add", "visitor", "--name", "Khách", "--agency", "H26.5", *at)
    first = added["client_secret"]
    got = wait_for(lambda: (answer := token(demo, "visitor", first))[0] == 200 and answer, "the new client")
    access = got[1]["access_token"]
    assert look_up(demo, access)[1]["code"] == "refused"

    some = ["--purpose", "dossier-processing", "--field", "full_name", "--field", "sex"]
    printed("clients", "grant", "visitor", "population/person", *some, *at)
    answer = wait_for(lambda: (found := look_up(demo, access))[0] == 200 and found, "the grant")
    truth = demo["samples"]["population/person"]["data"]
    assert answer[1]["data"] == {name: truth[name] for name in ("full_name", "sex")}
    assert (
        printed("audit", "show", str(answer[1]["receipt"]["index"]), *at)[0]["entry"]["caller"]["client"] == "visitor"
    )

    (rotated,) = printed("clients", "rotate", "visitor", "--overlap", "1h", *at)
    second = rotated["client_secret"]
    wait_for(lambda: token(demo, "visitor", second)[0] == 200, "the new secret")
    assert token(demo, "visitor", first)[0] == 200
    (again,) = printed("clients", "rotate", "visitor", "--overlap", "0", *at)
    wait_for(lambda: token(demo, "visitor", second)[0] == 401, "the end of the old secret")
    assert token(demo, "visitor", first)[0] == 401
    status, last = token(demo, "visitor", again["client_secret"])
    assert status == 200

    assert look_up(demo, last["access_token"])[0] == 200
    printed("clients", "revoke", "visitor", *at)
    ended = wait_for(lambda: (found := look_up(demo, last["access_token"]))[0] == 401 and found, "the revocation")
    assert ended[1]["code"] == "unauthenticated"
    assert token(demo, "visitor", again["client_secret"])[0] == 401
    assert printed("audit", "verify", *at)["valid"]


def test_a_reload_takes_a_rotated_token_key(demo: dict[str, Any]) -> None:
    at = ("--config", demo["config"])
    ministry = demo["clients"]["ministry"]

    def signed_by() -> Any:
        _, answer = token(demo, ministry["client_id"], ministry["client_secret"])
        head = answer["access_token"].partition(".")[0]
        return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]

    before = signed_by()
    _, old = token(demo, ministry["client_id"], ministry["client_secret"])
    (made,) = printed("keys", "rotate", "token", *at)["keys"]
    assert made != before
    assert printed("reload", *at)["told"] == [demo["pids"]["gateway"]]
    wait_for(lambda: signed_by() == made, "the new key")
    assert look_up(demo, old["access_token"])[0] == 200


def test_the_worker_inside_serve_tells_what_ends(demo: dict[str, Any]) -> None:
    def ends() -> bool:
        with OPENER.open(f"{demo['gateway']}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        wanted = (
            'lgsp_expiry_seconds{kind="key",name="log-1"}',
            'name="endpoints.tax.crl"',
            "lgsp_storage_free_bytes ",
        )
        return all(line in text for line in wanted)

    wait_for(ends, "the ends of keys and lists")


def test_a_backup_of_a_running_gateway_holds_its_clients(demo: dict[str, Any], tmp_path: Path) -> None:
    made = printed("storage", "backup", str(tmp_path / "backup"), "--config", demo["config"])
    assert made["entries"] > 4
    assert lgsp("storage", "backup", str(tmp_path / "backup"), "--config", demo["config"]).returncode == 2


def test_reload_without_a_gateway_is_a_finding(deployed: Deployment) -> None:
    # What a gateway that was killed leaves behind is never mistaken for one that runs.
    left = deployed.directory / f"serve.{os.uname().nodename}.{os.getpid()}.lock"
    left.touch()
    result = quick("reload", *deployed.config)
    assert result.exit_code == 1
    assert "lgsp serve" in result.stderr
    assert not left.exists()


def test_the_worker_alone_runs_until_it_is_told(deployed: Deployment) -> None:
    worker = subprocess.Popen([SCRIPT, "worker", *deployed.config], stderr=subprocess.PIPE, text=True)
    assert worker.stderr is not None
    lines = [worker.stderr.readline()]
    worker.send_signal(signal.SIGTERM)
    lines += worker.stderr.readlines()
    assert worker.wait(timeout=60) == 0
    worker.stderr.close()
    assert [json.loads(line)["event"] for line in lines] == ["keeping-house", "stopped"]


def test_the_worker_names_the_command_that_helps(deployed: Deployment) -> None:
    deployed.database.unlink()
    result = quick("worker", *deployed.config)
    assert result.exit_code == 1
    assert "lgsp storage upgrade" in result.stderr


def test_a_bundle_shows_by_what_the_source_was_believed(demo: dict[str, Any], tmp_path: Path) -> None:
    import zipfile

    from tests.test_commands.exchanged import checked

    at = ("--config", demo["config"])
    client = demo["clients"]["ministry"]
    access = token(demo, client["client_id"], client["client_secret"])[1]["access_token"]
    status, answer = look_up(demo, access)
    assert status == 200
    index = str(answer["receipt"]["index"])
    assert "signer" in printed("audit", "show", index, *at)[0]["entry"]["details"]
    received, file = tmp_path / "answer.json", tmp_path / "bundle.zip"
    received.write_text(json.dumps(answer), encoding="utf-8")

    def bundled() -> set[str]:
        file.unlink(missing_ok=True)
        printed("audit", "bundle", index, "--data", str(received), "--out", str(file), *at)
        with zipfile.ZipFile(file) as archive:
            return set(archive.namelist())

    # Certificates are kept in the background, within seconds.
    wait_for(lambda: "certificates.pem" in bundled(), "the certificates")
    facts = checked(file, Path(demo["log_key"]))
    assert ("holds", "data: the content that the entry commits to") in facts
    assert any("certificates.pem is NOT checked here" in text for _, text in facts)
    names = bundled()
    assert any(name.startswith("revocation/") for name in names), names
