"""What is told is what the models say, over REST as well; the words of both are those of the work."""

from typing import get_args

from routes.dossiers import asking
from schemas.dossiers.messages import LIMIT, MOST, DeliveryState, PushStatus
from schemas.dossiers.models import StatusLine
from schemas.dossiers.views import Delivery, DeliveryPage, WholeDossier
from sync.reading import STATES
from tests.test_intake.source import Source, a_code
from tests.test_intake.world import a_dossier, a_status


def test_words_and_limits_are_those_of_rest() -> None:
    assert get_args(DeliveryState) == tuple(STATES)
    assert (LIMIT, MOST) == (asking.LIMIT, asking.MOST)
    assert PushStatus.model_fields.keys() == StatusLine.model_fields.keys()


def test_rest_shows_what_the_models_say(rest: Source) -> None:
    code = a_code()
    rest.put(code, a_dossier(fees=[{"name": "Lệ phí", "amount": "0"}]))
    rest.push(code, a_status("9", sequence=2), key=f"{code}-2")
    shown = rest.ask("GET", f"/v1/dossiers/{code}").json
    del shown["receipt"]
    for one in shown["deliveries"]:
        one["dossier" if one["kind"] == "registration" else "event"] = one.pop("event")
    WholeDossier.model_validate(shown)
    page = DeliveryPage.model_validate(rest.ask("GET", "/v1/deliveries?limit=500").json)
    assert {type(one) for one in page.items} == {Delivery}
