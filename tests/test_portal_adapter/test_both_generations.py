"""What is sent to the simulated portal arrives there, in either generation, and is found again."""

import json

import pytest

from adapters.transport import Undelivered, maybe_applied
from schemas.errors import NoRecord, UpstreamRefused, UpstreamUnavailable
from schemas.portal import mark_of
from tests.test_portal.visitor import Visitor
from tests.test_portal_adapter.wiring import CODE, OTHER, Gateway, at, dossier, reaching, step


async def test_a_dossier_is_created_moved_and_found(portal: Visitor, gateway: Gateway, generation: str) -> None:
    told = await gateway.register(dossier())
    assert (told["outcome"], told["reason"]) == ("applied", "applied")
    told = await gateway.progress(
        step(1, "4", event="e-1", officer="Trần Văn Mẫu", unit="Một cửa"), step(2, "9", note="Đã ký")
    )
    assert told["outcome"] == "applied"
    assert [(one["code"], one["outcome"]) for one in told["elements"]] == [(CODE, "applied"), (CODE, "applied")]
    assert await portal.ledger() == [(CODE, 1, "4", 1), (CODE, 2, "9", 1)]
    found = await gateway.look_up()
    assert (found["code"], found["status"], found["procedure"]) == (CODE, "9", "2.002492")
    assert found["received_at"] == "2026-01-05T08:30:00+07:00"
    assert found["submitted_at"] is None
    first, second = found["steps"]
    assert first["at"] == ("2026-01-05T09:00:00+07:00" if generation == "1" else "2026-01-05T09:00:00.000+07:00")
    assert (first["status"], first["officer"], first["unit"]) == ("4", "Trần Văn Mẫu", "Một cửa")
    assert mark_of(first["note"]) == (1, "e-1")
    assert mark_of(second["note"]) == (2, None)
    assert second["officer"] == "000.00.00.H26"


async def test_what_is_there_is_not_created_again(portal: Visitor, gateway: Gateway) -> None:
    await gateway.register(dossier())
    for fault in (None, "already-exists-as-0", "already-exists-as-3", "already-exists-as--3"):
        await portal.fault(fault)
        told = await gateway.register(dossier())
        assert (told["outcome"], told["reason"]) == ("exists", "already-exists"), fault


async def test_progress_of_what_is_not_there_is_missing(portal: Visitor, gateway: Gateway) -> None:
    await gateway.register(dossier())
    told = await gateway.progress(step(1, "4"), step(1, "4", OTHER))
    assert [one["outcome"] for one in told["elements"]] == ["applied", "missing"]
    assert told["outcome"] == "missing"
    assert await portal.ledger() == [(CODE, 1, "4", 1)]
    with pytest.raises(NoRecord):
        await gateway.look_up(OTHER)


async def test_a_batch_that_failed_as_a_whole_names_no_element(portal: Visitor, gateway: Gateway) -> None:
    await gateway.register(dossier())
    await portal.fault("batch-all-or-nothing")
    told = await gateway.progress(step(1, "4"), step(1, "4", OTHER))
    assert (told["outcome"], told["elements"]) == ("missing", [])
    assert await portal.ledger() == []


async def test_a_session_that_ends_is_renewed_and_nothing_is_sent_twice(portal: Visitor, gateway: Gateway) -> None:
    await gateway.register(dossier())
    await portal.fault("session-expired=2")
    for sequence in range(1, 8):
        assert (await gateway.progress(step(sequence, "4")))["outcome"] == "applied"
    assert [line[1:] for line in await portal.ledger()] == [(sequence, "4", 1) for sequence in range(1, 8)]


async def test_an_answer_that_was_lost_may_have_been_applied(portal: Visitor, gateway: Gateway) -> None:
    await gateway.register(dossier())
    await portal.fault("drop-after-commit")
    with pytest.raises(UpstreamUnavailable) as caught:
        await gateway.progress(step(1, "4", event="e-1"))
    assert maybe_applied(caught.value)
    assert await portal.ledger() == [(CODE, 1, "4", 1)]
    await portal.fault(None)
    assert [mark_of(one["note"]) for one in (await gateway.look_up())["steps"]] == [(1, "e-1")]


async def test_a_limit_of_the_portal_is_certainly_not_applied(portal: Visitor, gateway: Gateway) -> None:
    await gateway.register(dossier())
    await portal.fault("throttled=0.1/s")
    errors = []
    for sequence in (1, 2):
        try:
            await gateway.progress(step(sequence, "4"))
        except UpstreamUnavailable as error:
            errors.append(error)
    assert errors
    assert not any(map(maybe_applied, errors))
    assert all((error.retry_after or 0) >= 1 for error in errors)
    assert len(await portal.ledger()) + len(errors) == 2


async def test_nobody_listens(gateway: Gateway, portal: Visitor, generation: str) -> None:
    async with reaching(at("http://127.0.0.1:9", generation)) as elsewhere:
        with pytest.raises(Undelivered) as caught:
            await elsewhere.register(dossier())
    assert not maybe_applied(caught.value)


async def test_a_wrong_secret_is_refused_before_anything_is_sent(portal: Visitor, generation: str) -> None:
    async with reaching(at(portal.url, generation, secret="other")) as stranger:
        with pytest.raises(UpstreamRefused) as caught:
            await stranger.register(dossier())
        assert not maybe_applied(caught.value)
        assert not stranger.trails[0].messages
    assert await portal.lines("_dossiers") == []


async def test_everything_that_the_first_generation_takes(portal: Visitor, first: Gateway) -> None:
    whole = dossier(
        procedure_name="Đăng ký khai sinh",
        field="G15-HT01",
        field_name="Hộ tịch",
        receipt_number="BN-1",
        owner_identities=[{"number": "001190000001"}, {"number": "012345678"}],
        owner_enterprise_code=None,
        email="a@example.vn",
        summary="Trích yếu",
        submitted_at="2026-01-04T23:59:59.999+07:00",
        due_at="2026-01-12T17:00:00+07:00",
        return_method="post",
        submitted_to="local-system",
        has_digitised=True,
        vneid_verified=False,
        attachments=[{"name": "Đơn.pdf", "url": "https://example.vn/a", "digitised": True, "deleted": False}],
        fees=[{"name": "Lệ phí", "amount": "8000"}],
        other_papers=[{"name": "Giấy", "copies": 2}],
        supplements=[{"request": "Bổ sung", "requested_at": "2026-01-06T00:00:00Z", "papers": [{"name": "Thẻ"}]}],
        results=[{"name": "Giấy khai sinh", "code": "KQ.G15.000031"}],
        databases=[{"code": "1"}],
    )
    assert (await first.register(whole))["outcome"] == "applied"
    assert (await first.register(whole, updating=True))["outcome"] == "applied"
    (held,) = await portal.look_up()
    assert held["TrichYeuHoSo"] == "Trích yếu"
    assert held["NgayNopHoSo"] == "20260104235959"
    assert held["NgayTuChoi"] == ""
    assert held["DinhDanhCHS"] == [
        {"LoaiDinhDanh": "1", "SoDinhDanh": "001190000001"},
        {"LoaiDinhDanh": "2", "SoDinhDanh": "012345678"},
    ]
    assert held["DanhSachHoSoBoSung"][0]["NgayBoSung"] == "20260106070000"
    assert held["DanhSachTepDinhKemKhac"] == [{"TenGiayTo": "Giấy", "SoLuong": "2"}]
    (line,) = await portal.lines("_dossiers")
    assert line["updates"] == 1


async def test_an_update_of_nothing_is_missing(first: Gateway) -> None:
    told = await first.register(dossier(), updating=True)
    assert (told["outcome"], told["elements"][0]["outcome"]) == ("missing", "missing")


async def test_what_the_portal_does_not_want_is_refused(first: Gateway) -> None:
    told = await first.register(dossier(), dossier(OTHER, owner_account="X", channel="online"))
    assert [one["outcome"] for one in told["elements"]] == ["applied", "applied"]
    # The simulated portal wants a text and an officer.
    bare = step(1, "4").model_copy(update={"note": None})
    told = await first.progress(bare)
    assert (told["outcome"], told["reason"], told["source_code"]) == ("refused", "invalid-data", "1")


@pytest.mark.parametrize("dstcode_in", ["query", "header"])
async def test_the_adapter_is_told_whom_it_is_for(portal: Visitor, dstcode_in: str) -> None:
    newer = "/XrdAdapter/RestService/forward/bndp/public/v1/login"
    endpoint = at(
        portal.url,
        "1",
        secret=portal.secret,
        dstcode_in=dstcode_in,
        login_path=newer,
        provider_url="https://example.vn",
    )
    async with reaching(endpoint) as made:
        assert (await made.register(dossier()))["outcome"] == "applied"


async def test_evidence_never_holds_a_session(portal: Visitor, first: Gateway) -> None:
    await first.register(dossier())
    await portal.fault("session-expired")
    await first.register(dossier(OTHER))
    sent = [body for trail in first.trails for direction, body in trail.messages if direction == "sent"]
    assert len(sent) == 3
    for body in sent:
        assert list(json.loads(body)) == ["madonvi", "service", "isUpdating", "data"]
    assert portal.secret.encode() not in b"".join(body for trail in first.trails for _, body in trail.messages)


async def test_catalogues(first: Gateway) -> None:
    found = (await first.ask("procedure", {"procedure": "2.002492"})).data
    assert found["name"] == "Đăng ký khai sinh liên thông"
    assert found["fields"] == [{"code": "G15-HT01", "name": "Hộ tịch"}]
    assert [way["channel"] for way in found["ways"]] == ["1", "2", "3"]
    assert found["ways"][0]["terms"] == [{"amount": "3", "unit": "Ngày làm việc", "note": ""}]
    assert found["results"] == [{"code": "KQ.G15.000001", "name": "Giấy khai sinh"}]
    with pytest.raises(NoRecord):
        await first.ask("procedure", {"procedure": "9.999999"})
    for catalogue, code in (("procedures", "2.002492"), ("fields", "G15-HT01"), ("agencies", "H26")):
        entries = (await first.ask(catalogue, {})).data["entries"]
        assert all(entry["name"] for entry in entries)
        assert code in [entry["code"] for entry in entries]


async def test_what_the_second_generation_does_not_offer_is_not_sent(portal: Visitor) -> None:
    async with reaching(at(portal.url, "2", secret=portal.secret)) as made:
        asked = [
            made.ask("procedure", {"procedure": "2.002492"}),
            made.ask("fields", {}),
            made.register(dossier(), updating=True),
            made.register(dossier(), dossier(OTHER)),
            made.register(dossier(owner_kind="state-agency")),
        ]
        for each in asked:
            with pytest.raises(UpstreamRefused) as caught:
                await each
            assert caught.value.reason == "not-offered"
            assert not maybe_applied(caught.value)
        assert not any(trail.messages for trail in made.trails)
    assert await portal.lines("_dossiers") == []
