"""Envelopes that nobody signed: the one payload inside, and the fault that may stand in its place.

Only the form of SOAP is judged here (SOAP 1.1, section 4; SOAP 1.2 part 1, section 5; WS-I Basic Profile 1.1, R9980
and R9981); what the payload says is the codec's business.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from adapters.records import Unreadable
from security.elements import children_of, elements_at
from security.signature import SoapVersion, Trusted
from security.soap_signature import SOAP

_TRUE: Final = ("1", "true")
# Whom a header block is addressed to if it is the one who reads the whole message, or whoever comes first.
_US: Final = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        f"{SOAP['1.2']}/role/next",
        f"{SOAP['1.2']}/role/ultimateReceiver",
    }
)


class Fault(NamedTuple):
    """A fault and the version of the envelope around it, which need not be the one that was asked in."""

    version: SoapVersion
    element: Trusted


def payload_of(envelope: Trusted, version: SoapVersion) -> Trusted:
    """Return the one payload of an envelope of `version`; raises Unreadable for what is none.

    A header block that has to be understood is not: there is none that the gateway knows in an unsigned answer.
    """
    space = f"{{{SOAP[version]}}}"
    if envelope.tag != f"{space}Envelope":
        others = [other for other, namespace in SOAP.items() if envelope.tag == f"{{{namespace}}}Envelope"]
        found = f"a SOAP {others[0]} envelope" if others else "no SOAP envelope"
        raise Unreadable(f"the answer is {found}, SOAP {version} is declared")
    *before, body = children_of(envelope) or [envelope]
    if body.tag != f"{space}Body" or [part.tag for part in before] not in ([], [f"{space}Header"]):
        raise Unreadable("the envelope does not hold a Body, with at most a Header before it")
    for header in before:
        if any(_is_mandatory(block, space) for block in children_of(header)):
            raise Unreadable("a header block must be understood (mustUnderstand), and none is")
    payloads = children_of(body)
    if len(payloads) != 1:
        raise Unreadable(f"the Body holds {'several elements' if payloads else 'nothing'}, one is declared")
    return payloads[0]


def _is_mandatory(block: Trusted, space: str) -> bool:
    receiver = block.get(f"{space}actor", "") or block.get(f"{space}role", "")
    return block.get(f"{space}mustUnderstand", "").strip() in _TRUE and receiver.strip() in _US


def fault_of(envelope: Trusted) -> Fault | None:
    """Return the fault in an envelope of any version; None where there is none.

    Who does not know the version of a question answers in its own (SOAP 1.2 part 1, appendix A.1).
    """
    for version, namespace in SOAP.items():
        found = elements_at(envelope, ("Body", "Fault"), f"{{{namespace}}}")
        if len(found) == 1:
            return Fault(version, found[0])
    return None
