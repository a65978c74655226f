"""How long one message holds the event loop: the longest steps that are taken in one go on the way of a large answer.

Answers below `LARGE` are read on the loop, larger ones in a thread; what follows the reading is done on the loop.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from adapters import DATABASES
from adapters.bindings import Codec, Expected
from adapters.dispatch import compile_codecs
from adapters.offloading import LARGE
from adapters.transport import Reply
from bench.pieces_clock import Clock
from bench.pieces_inside import evidence_of
from bench.pieces_signatures import Anew
from bench.pieces_wire import ECDSA, PARAMS, Answer, Wire, answer_of, sized
from config.settings import Endpoint
from schemas.fields import Found, shape_of, subjects
from schemas.tax import Taxpayer
from security.audit.canonical import canonical
from security.signature import RecentSignatures, Replays

PROMISED: Final = 50_000
"""Bytes: no message below holds the loop for longer than two milliseconds."""


def loop_pieces(clock: Clock, made: Wire) -> dict[str, float]:
    """The largest answer that is read on the loop, and one just below what was promised, in a thread and afterwards."""
    # It has never seen an answer.
    codec = tax_codec(made, Anew(RecentSignatures()))
    found = {}
    for where, limit in (("on the loop", LARGE), ("in a thread", PROMISED)):
        answer = fitting(made, limit)
        reply, expected = Reply(200, {}, answer.envelope), Expected("m", answer.confirms)
        found[f"read, {where}"] = clock.one(partial(codec.read, reply, expected))
    data = codec.read(reply, expected).data
    disclosed = subjects(shape_of(Taxpayer), "disclosed")
    evidence = evidence_of(made)

    def recorded() -> object:
        persons: list[Found] = []
        disclosed(data, persons)
        whole = replace(evidence, data=canonical(data), answer_messages=[answer.envelope], subjects=persons)
        return whole.written()

    return found | {"evidence, on the loop": clock.one(recorded)}


def fitting(made: Wire, limit: int) -> Answer:
    """A signed answer that is as long as may be below so many bytes."""
    around = len(made.answers[f"2 KB {ECDSA}"].envelope) - len(made.payloads["2 KB"])
    return answer_of(sized(limit - around - 1), made.keys[ECDSA])


def tax_codec(made: Wire, replays: Replays) -> Codec:
    """Return the tax register's codec as of a deployment that verifies, and remembers in `replays`."""
    key, certificate = made.pair.key, made.pair.certificate
    endpoint = Endpoint(
        url="http://localhost",
        params=PARAMS,
        key=key,
        certificate=certificate,
        signer=certificate,
        trust=(made.authority,),
    )
    database = next(each for each in DATABASES if each.name == "tax")
    return compile_codecs([database], {"tax": endpoint}, replays)["tax", "taxpayer"]
