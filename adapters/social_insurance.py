"""Social and health insurance (Bảo hiểm xã hội Việt Nam), declared.

Three operations go through NGSP `apiBHXH`; the health card is asked at the hospital gateway, another host with another
token. `errorCode` stands in all three NGSP answers and its numbers are this profile's own; `maKetQua` of the hospital
gateway is published by those who use it.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.bindings import Param, Rest, read_json
from adapters.codecs import Unreadable, lookup
from adapters.schemes import ClientCredentials, TakeToken, unauthorized
from adapters.transport import Reply
from schemas.errors import Ambiguous, Invalid, NoRecord, Text, UpstreamRefused, UpstreamUnavailable
from schemas.exchange import Data, Database, Notice, Operation
from schemas.fields import Question
from schemas.social_insurance import (
    CARD_STATUSES,
    Card,
    FindNumberQuestion,
    FoundNumber,
    HealthCardQuestion,
    HouseholdEntry,
    HouseholdQuestion,
    Participant,
    ParticipantQuestion,
)

ACCEPTED = frozenset({"0"})
FAULTS = {"1": NoRecord, "2": Ambiguous, "3": UpstreamRefused, "9": UpstreamUnavailable}

CARD_ACCEPTED = frozenset(CARD_STATUSES.words)
CARD_FAULTS = {
    "050": NoRecord,
    **dict.fromkeys(("051", "052", "053"), Invalid),
    # The card exists, but not for who was described: to the caller nobody matches.
    **dict.fromkeys(("060", "061", "070", "080"), NoRecord),
    **dict.fromkeys(("100", "101"), UpstreamUnavailable),
    "401": UpstreamRefused,
}
CARD_NOTICES = {
    "replaced": "The card was replaced by a new one",
    "expired": "The card has expired",
    "revoked": "The card was revoked",
    "reduced": "The holder was taken off the list of the insured",
}


def card_notice(question: Question, data: Data) -> Iterator[Notice]:
    """Warn of a card that exists but does not pay."""
    status = data["status"]
    if status in CARD_NOTICES:
        yield Notice(f"card-{status}", "/data/status", CARD_NOTICES[status])


def token_ended(reply: Reply) -> bool:
    """Tell whether the hospital gateway no longer takes the token: HTTP 401, or 200 with the result code 401."""
    if unauthorized(reply):
        return True
    try:
        return bool(lookup(read_json(reply.body), ("maKetQua",)) == "401")
    except Unreadable:
        return False


DATABASE = Database(
    name="social-insurance",
    title=Text("Cơ sở dữ liệu quốc gia về bảo hiểm", "National insurance database"),
    owner=Text("Bảo hiểm xã hội Việt Nam", "Vietnam Social Security"),
    operations=(
        Operation(
            name="participant",
            title=Text("Tra cứu người tham gia theo mã số BHXH", "Look up an insured person by number"),
            question=ParticipantQuestion,
            answer=Participant,
            binding=Rest(
                method="POST",
                path="/apiBHXH/getTraCuuTtHgdByMaSoBhxh",
                verdict="errorCode",
                accepted=ACCEPTED,
            ),
            faults=FAULTS,
        ),
        Operation(
            name="find-number",
            title=Text("Tìm mã số BHXH theo tiêu chí", "Find a social insurance number"),
            question=FindNumberQuestion,
            answer=FoundNumber,
            binding=Rest(
                method="POST",
                path="/apiBHXH/getMaSoBhxhTheoTieuChi",
                verdict="errorCode",
                accepted=ACCEPTED,
            ),
            faults=FAULTS,
        ),
        Operation(
            name="household",
            title=Text("Tra cứu thông tin hộ gia đình", "Look up an entry of a household"),
            question=HouseholdQuestion,
            answer=HouseholdEntry,
            binding=Rest(
                method="POST",
                path="/apiBHXH/getTraCuuThongTinHgd",
                verdict="errorCode",
                accepted=ACCEPTED,
            ),
            faults=FAULTS,
        ),
        Operation(
            name="health-card",
            title=Text("Tra cứu thẻ bảo hiểm y tế", "Look up a health insurance card"),
            question=HealthCardQuestion,
            answer=Card,
            endpoint="health-card",
            binding=Rest(
                method="POST",
                path="/api/egw/KQNhanLichSuKCB2024",
                given=(("hoTenCb", Param("hoTenCb")), ("cccdCb", Param("cccdCb"))),
                verdict="maKetQua",
                accepted=CARD_ACCEPTED,
            ),
            faults=CARD_FAULTS,
            examine=card_notice,
        ),
    ),
    logins={"social-insurance": ClientCredentials(), "health-card": TakeToken(session_dead=token_ended)},
)
