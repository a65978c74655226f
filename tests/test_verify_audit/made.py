"""Evidence of every kind as the gateway's own code makes it, in files, and the tool that checks them."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from security.audit.canonical import canonical
from security.audit.entries import Evidence, Secrets
from security.audit.export import write_export
from security.audit.packing import Package
from security.audit.receipt import Receipt
from tests.test_audit.audit_world import World, a_signer, evidence
from tools import verify_audit

TOOL = Path(__file__).parents[2] / "tools" / "verify_audit.py"
WITNESS = "witness.example/w1"
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
SEEN_AT = 1_796_000_000
ANSWER = {"full_name": "Nguyễn Thị Ánh", "children": [{"order": 1, "alive": True, "note": None}], "tab": "\t\u007f"}
PERSONS = ("001090123456", "001090123457")

NOW = datetime.now(UTC)


def certificate(
    name: str, key: EllipticCurvePrivateKey, issuer: str, by: EllipticCurvePrivateKey, *extensions: x509.ExtensionType
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder(named(issuer), named(name), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=9))
    for each in extensions:
        builder = builder.add_extension(each, critical=True)
    return builder.sign(by, SHA256())


ROOT_KEY, LEAF_KEY = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
ROOT = certificate("root", ROOT_KEY, "root", ROOT_KEY, x509.BasicConstraints(True, None))
# Who signed the question of the bundle.
LEAF = certificate("registry", LEAF_KEY, "root", ROOT_KEY)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def fingerprint(certificate: x509.Certificate) -> str:
    """As entries name a certificate."""
    return f"sha256:{sha256(certificate.public_bytes(Encoding.DER)).hexdigest()}"


def vkey(name: str, kind: int, public: bytes) -> str:
    """A C2SP verifier key, spelled out here once more."""
    packed = bytes([kind]) + public
    key_id = sha256(name.encode() + b"\n" + packed).hexdigest()[:8]
    return f"{name}+{key_id}+{b64(packed)}"


def cosigned(note: str, at: int = SEEN_AT, name: str = WITNESS, key: Ed25519PrivateKey = WITNESS_KEY) -> str:
    """The note with one more line, as C2SP tlog-cosignature has it."""
    text = note.split("\n\n")[0] + "\n"
    packed = b"\4" + key.public_key().public_bytes_raw()
    signature = key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    blob = sha256(name.encode() + b"\n" + packed).digest()[:4] + at.to_bytes(8, "big") + signature
    return f"{note}— {name} {b64(blob)}\n"


def keys() -> str:
    public = WITNESS_KEY.public_key().public_bytes_raw()
    return f"# the log\n{a_signer().verifier.encode()}\n\n{vkey(WITNESS, 4, public)}\n"


def answer(evidence: Evidence, receipt: Receipt, proof: Iterable[bytes] | None) -> str:
    """A whole answer as `routes/exchanges.py` joins it."""
    told = {"id": evidence.id, "database": evidence.database, "operation": evidence.operation}
    told |= {"answered_at": "2026-11-30T00:00:00Z", "fields": list(evidence.fields), "warnings": []}
    shown = receipt.as_text(None if proof is None else tuple(proof))
    return f'{{"data":{canonical(ANSWER).decode()},"exchange":{json.dumps(told)},"receipt":{shown}}}'


def openings(content: Mapping[str, bytes], secrets: Secrets) -> dict[str, Any]:
    opened = [{"name": name, "salt": b64(secrets.salts[name]), "content": b64(raw)} for name, raw in content.items()]
    return {"format": "lgsp-openings/1", "openings": opened}


async def fill(world: World, folder: Path) -> None:
    """Make one file of each kind; everything of the log at first small, then with many entries."""
    log, reader, verifiers = world.log, world.reader, [world.signer.verifier]
    asked = replace(evidence(*PERSONS, data=canonical(ANSWER)), details={"caller_signer": fingerprint(LEAF)})
    await log.record(evidence(PERSONS[0]))
    receipt = await log.record(asked)
    await log.record(evidence(data=None))
    (folder / "keys.txt").write_text(keys())
    proof = await reader.prove(receipt.index, receipt.size)
    (folder / "answer.json").write_text(answer(asked, receipt, proof.path))
    (folder / "short.json").write_text(answer(asked, receipt, None))
    (folder / "receipt.json").write_text(receipt.as_text(proof.path))
    proof = await reader.prove(0)
    (folder / "proof.json").write_text(json.dumps(shown := _shown(proof)))
    old = proof.checkpoint
    (folder / "old.txt").write_text(old)
    with (folder / "small.zip").open("wb") as out:
        await write_export(world.storage, verifiers, out, full=True)
    proof = await reader.prove(receipt.index)
    secrets = await reader.open(receipt.index)
    bundle(folder / "bundle.zip", receipt.entry, _shown(proof), cosigned(proof.checkpoint), _bundled(asked, secrets))
    for number in range(8):
        await log.record(evidence(f"0010901{number:05}"))
    new = await reader.checkpoint()
    assert new is not None
    (folder / "new.txt").write_text(cosigned(new))
    size = await reader.size()
    path = [b64(each) for each in await reader.consistency(shown["size"], size)]
    (folder / "consistency.json").write_text(json.dumps({"from": shown["size"], "to": size, "proof": path}))
    for name, first in (("whole.zip", 0), ("second.zip", shown["size"]), ("third.zip", shown["size"] + 2)):
        with (folder / name).open("wb") as out:
            await write_export(world.storage, verifiers, out, first=first, full=True)


def _shown(proof: Any) -> dict[str, Any]:
    return {
        "index": proof.index,
        "size": proof.size,
        "leaf": b64(proof.leaf),
        "proof": [b64(each) for each in proof.path],
        "checkpoint": proof.checkpoint,
    }


def _bundled(asked: Evidence, secrets: Secrets) -> dict[str, Any]:
    assert asked.data is not None
    assert asked.question is not None
    return openings(
        {
            "data": asked.data,
            "question": asked.question,
            "request_messages/0": asked.request_messages[0],
            "subjects/1": PERSONS[1].encode(),
        },
        secrets,
    )


def bundle(path: Path, entry: bytes, proof: Mapping[str, Any], note: str, opened: Mapping[str, Any]) -> None:
    """The bundle of one exchange, with stand-ins for what the tool does not look into."""
    digest = sha256(note.split("\n\n")[0].encode() + b"\n").digest()
    with path.open("wb") as out, Package(out) as package:
        package.add("entry.json", entry)
        package.add_json("proof.json", proof)
        package.add("checkpoint.txt", note.encode())
        package.add_json("openings.json", opened)
        package.add("certificates.pem", LEAF.public_bytes(Encoding.PEM))
        package.add("revocation/list.der", b"\x30\x00")
        package.add("timestamp.tsr", b"\x30\x22\x04\x20" + digest)
        package.add("keys.txt", keys().encode())
        absent = {"revocation/answer.der": "no responder"}
        package.finish({"format": "lgsp-audit-bundle/1", "index": proof["index"], "absent": absent})


def run(*arguments: str | Path, folder: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run the file as anybody would: isolated, without site packages."""
    command = [python, "-I", "-S", str(TOOL), *map(str, arguments), "--key", "keys.txt"]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=60)
    assert "Traceback" not in done.stderr
    return done


def told(*arguments: str | Path, folder: Path) -> tuple[int, str]:
    """The same in this process: the status, and what is printed."""
    with chdir(folder), redirect_stdout(io.StringIO()) as out:
        status = verify_audit.main([*map(str, arguments), "--key", "keys.txt"])
    return status, out.getvalue()


def judged(*files: Path, key: Path, checkpoint: Path | None = None) -> tuple[int, list[tuple[str, str]]]:
    """Look at files in this process, which is much faster: the status, and kind and text of each fact."""
    run = verify_audit.Run(dict(_keys_of(key)), 1)
    for file in files:
        run.attempt(str(file), run.file)
    if checkpoint is not None:
        run.attempt(str(checkpoint), run.checkpoint_file)
    run.together()
    return run.status(), [(kind, text) for kind, _, text in run.facts]


@cache
def _keys_of(file: Path) -> Any:
    return verify_audit.read_keys(file.read_bytes())


def refusal(check: Callable[..., object], *arguments: object) -> str:
    """What is said of that which a check refuses."""
    with pytest.raises(verify_audit.Told) as caught:
        check(*arguments)
    return verify_audit.TEXTS[caught.value.text][1].format(**caught.value.values)


def refused(*arguments: str) -> int | str | None:
    """The status with which the tool ends over its arguments."""
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            return verify_audit.main(list(arguments))
    except SystemExit as end:
        return end.code
