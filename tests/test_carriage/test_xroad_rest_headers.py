"""The headers of X-Road in answers over REST: compared where given, after decoding part by part."""

import pytest

from adapters.codecs import Unreadable
from adapters.http_connection import Headers
from adapters.xroad_rest import RestRoad
from config.carriage import Xroad
from schemas.errors import UpstreamSignatureRejected

ROAD = RestRoad("enterprise", Xroad(client="VN/GOV/H26/l,gsp'", provider="VN/GOV/G12/dkdn"), "tra+cuu")
ID = "4894e35d-bf0f-44a6-867a-8e51f1daa7e0"


def answered(*fields: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode()) for name, value in fields])


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("x-road-id", ID),),
        (("X-ROAD-CLIENT", "VN/GOV/H26/l,gsp'"),),
        (("X-Road-Client", "VN/GOV/H26/l%2cgsp%27"), ("X-Road-Service", "VN/GOV/G12/dkdn/tra%2Bcuu")),
        (("X-Road-Service", "VN/GOV/G12/%64kdn/tra+cuu"), ("X-Road-Request-Id", "any"), ("X-Road-Request-Hash", "any")),
    ],
    ids=["none", "id", "as-written", "encoded", "more-encoded"],
)
def test_every_spelling_of_the_same_is_taken(fields: tuple[tuple[str, str], ...]) -> None:
    ROAD.check(answered(*fields), ID)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Road-Id", ID.replace("4894", "4895")),
        ("X-Road-Id", ""),
        ("X-Road-Client", "VN/GOV/H27/l,gsp'"),
        ("X-Road-Client", "VN/GOV/H26"),
        ("X-Road-Client", "VN%2FGOV/H26/l,gsp'"),
        ("X-Road-Client", "vn/gov/h26/l,gsp'"),
        ("X-Road-Service", "VN/GOV/G12/dkdn/khac"),
        ("X-Road-Service", "VN/GOV/G12/dkdn"),
    ],
    ids=["id", "empty", "member", "no-subsystem", "slash", "case", "service", "no-service"],
)
def test_another_value_is_an_answer_to_another_question(name: str, value: str) -> None:
    with pytest.raises(UpstreamSignatureRejected) as caught:
        ROAD.check(answered((name, value)), ID)
    assert caught.value.reason == "not-answer-to-request"


def test_a_header_that_is_there_twice_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="more than once"):
        ROAD.check(answered(("X-Road-Id", ID), ("X-Road-Id", ID)), ID)
