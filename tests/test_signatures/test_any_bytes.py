"""Whatever the bytes are, there is a verdict: no error but ours leaves the two verifiers."""

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from security.signature_files import judge
from security.xml_signature import sign_enveloped
from tests.test_signatures.conftest import DS, NOW, WSU
from tests.test_signatures.forms import KINDS, WSSE, messages, mutated
from tests.test_signatures.test_agreement import INSERTED

PROFILES = st.sampled_from(["soap", "enveloped"])
USUAL = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DOCUMENT = '<ds:A xmlns:ds="urn:a" issuedAt="2026-11-22T08:00:00Z" requestId="ễ"><b><c/></b> x</ds:A>'.encode()
NAMES = st.sampled_from(
    [f"{{{DS}}}{name}" for name in ("Signature", "SignedInfo", "Reference", "Transforms", "KeyInfo", "X509Data")]
    + [f"{{{WSSE}}}Security", f"{{{WSSE}}}SecurityTokenReference", f"{{{WSU}}}Timestamp", "a"]
    + [f"{{http://schemas.xmlsoap.org/soap/envelope/}}{name}" for name in ("Envelope", "Header", "Body")]
)
TEXTS = st.sampled_from(["", " ", "x", "QUJD", "#a", "2026-11-22T08:00:00Z", "9" * 400, "\u0660"])


@st.composite
def trees(draw, depth: int = 3) -> str:
    """Elements of signatures and envelopes in no order that means anything."""
    namespace, _, name = draw(NAMES).rpartition("}")
    names = sorted(draw(st.sets(st.sampled_from(["Id", "URI", "Algorithm", "Value"]), max_size=2)))
    attributes = "".join(f' {one}="{draw(TEXTS)}"' for one in names)
    declared = f' xmlns="{namespace[1:]}"' if namespace else ' xmlns=""'
    inside = [draw(TEXTS)]
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        inside += [draw(trees(depth - 1)), draw(TEXTS)]
    return f"<{name}{declared}{attributes}>{''.join(inside)}</{name}>"


@pytest.fixture(scope="module")
def keys(pki):
    return {kind: pki.signer(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def trust(pki, keys):
    return pki.pinned(*keys.values())


@pytest.fixture(scope="module")
def enveloped(keys) -> str:
    # Of this kind of key all signatures over the same are the same.
    return sign_enveloped(DOCUMENT, keys["rsa"]).decode()


@settings(USUAL, max_examples=200)
@given(document=st.binary() | trees().map(str.encode), profile=PROFILES)
def test_bytes_that_are_no_message_are_refused(trust, document, profile):
    verdict = judge(document, profile, trust, NOW)
    assert verdict.reason in ("malformed", "not-covered")
    assert verdict.verified is None


@settings(USUAL, max_examples=400)
@given(data=st.data())
def test_a_broken_message_has_a_verdict(keys, enveloped, trust, data):
    """Broken before or after it was signed, cut short, doubled, its bytes changed."""
    profile = data.draw(PROFILES)
    if profile == "soap":
        message = data.draw(messages(keys))
        document = message.filled(data.draw(mutated(message.text, INSERTED)), NOW)
    else:
        document = data.draw(mutated(enveloped, INSERTED)).encode()
    cut = data.draw(st.integers(0, 10_000)) % (len(document) + 1)
    kind = data.draw(st.sampled_from(["whole", "cut", "doubled", "bytes", "between"]))
    if kind == "cut":
        document = document[:cut]
    elif kind == "doubled":
        document *= 2
    elif kind == "bytes":
        document = document[:cut] + data.draw(st.binary(max_size=4)) + document[cut + 2 :]
    elif kind == "between":
        document = document[:cut] + data.draw(trees(2)).encode() + document[cut:]
    event(str(judge(document, profile, trust, NOW).reason))
