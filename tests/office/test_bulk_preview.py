"""What a preview says is what its run does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.slots import block_slot
from guitaronline.errors import DomainError, Invalid, NotAllowed
from guitaronline.office import bulk, bulk_forecast
from guitaronline.office.bulk_actions import ACTIONS, ALL
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.bulk_models import RowStatus
from tests.office.bulk import SCHOOL, WHY, Class, ask, carried_out, look, rows
from tests.world import World, as_actor

STATES = ("hold", "lapsed", "confirmed", "late", "started", "given", "canceled")
CANCELS = st.fixed_dictionaries(
    {"cause": st.sampled_from(["student", "teacher", "school", "goodwill"]), "waive": st.booleans()}
)


def told(row: object) -> tuple[object, ...]:
    return (row.status, row.code, row.sentence)  # type: ignore[attr-defined]


def promised(forecast: Forecast) -> tuple[object, ...]:
    return (RowStatus.DONE if forecast.is_possible else RowStatus.REFUSED, forecast.code, forecast.sentence)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(picked=st.lists(st.sampled_from(STATES), min_size=1, max_size=5), arguments=CANCELS)
def test_a_cancellation_does_to_each_booking_what_was_shown(
    world: World, picked: list[str], arguments: dict[str, object]
) -> None:
    ada, school = as_actor(world.ada), Class(world)
    bookings = [school.make("confirmed"), *(school.make(state) for state in picked)]

    with clock.standing_at(world.now):
        shown = look(ada, "bookings.cancel", bookings, arguments)
        run = carried_out(ask(ada, "bookings.cancel", bookings, arguments))

    assert [told(row) for row in rows(run)] == [promised(each) for each in shown]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ["bookings.cancel", "bookings.confirm"])
def test_what_is_foreseen_to_be_refused_would_change_nothing_if_it_were_tried(
    world: World, state: str, action: str
) -> None:
    ada, booking = as_actor(world.ada), Class(world).make(state)
    (shown,) = look(ada, action, [booking], SCHOOL)
    before = world.again(booking).version

    refused = _refuses(ada, action, booking)

    changed = world.again(booking).version != before and world.again(booking).status != "expired"
    assert (changed, shown.is_possible) in {(True, True), (False, False)}
    assert not (shown.is_possible and refused)


def _refuses(actor: object, action: str, booking: object) -> bool:
    try:
        ACTIONS[action].act(actor, booking.id, SCHOOL, WHY)  # type: ignore[arg-type, attr-defined]
    except DomainError:
        return True
    return False


def test_a_stale_preview_is_refused_and_says_what_changed(world: World) -> None:
    ada, school = as_actor(world.ada), Class(world)
    kept, gone = school.confirmed(), school.confirmed()
    shown = look(ada, "bookings.cancel", [kept, gone], SCHOOL)
    cancel_booking(as_actor(world.sue), gone.id, reason="called", cause="student")

    with pytest.raises(bulk.PreviewStale) as stale:
        ask(
            ada,
            "bookings.cancel",
            [kept, gone],
            SCHOOL,
            digest=bulk_forecast.digest("bookings.cancel", SCHOOL, shown),
            seen=bulk_forecast.marks(shown),
        )

    sentences = [each.detail for each in stale.value.reasons]
    assert sentences[1:] == [f"{gone.reference} is not as it was; now: will be refused: The booking was canceled."]


def test_a_record_that_came_or_went_since_the_preview_is_named(world: World) -> None:
    ada = as_actor(world.ada)
    first, second = world.slot(hours=50), world.slot(hours=60)
    seen = bulk_forecast.marks(look(ada, "slots.block", [first], {}))

    told_ = bulk_forecast.difference(seen, look(ada, "slots.block", [second], {}))

    assert [each.detail for each in told_] == [
        f"{second.reference} is new here; now: Will not be offered until it is unblocked.",
        "1 of the records do not match any more.",
    ]


def test_other_arguments_than_those_shown_are_refused(world: World) -> None:
    ada, package = as_actor(world.ada), world.package(expires_at=world.now.replace(year=2030))
    shown = look(ada, "packages.extend", [package], {"days": 7})
    digest = bulk_forecast.digest("packages.extend", {"days": 7}, shown)

    with pytest.raises(bulk.PreviewStale):
        ask(ada, "packages.extend", [package], {"days": 300}, digest=digest, seen=bulk_forecast.marks(shown))


def test_more_than_five_thousand_rows_are_refused_in_words(world: World) -> None:
    from guitaronline.db import new_id

    ids = [new_id() for _ in range(bulk.ROWS_MOST + 1)]

    with pytest.raises(bulk.TooManyRows, match="At most 5,000 records at a time"):
        bulk.request_bulk(
            as_actor(world.ada), action="slots.block", record_ids=ids, arguments={}, digest="", reason=WHY
        )


def test_nothing_starts_when_every_row_would_be_refused(world: World) -> None:
    slot = world.slot()
    block_slot(as_actor(world.ada), slot.id, reason="dentist")

    with pytest.raises(bulk.NothingPossible):
        ask(as_actor(world.ada), "slots.block", [slot])


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("bookings.cancel", {"cause": "weather", "waive": False}),
        ("bookings.cancel", {"waive": True}),
        ("packages.extend", {"days": 0}),
        ("packages.extend", {"days": "7"}),
    ],
)
def test_arguments_that_mean_nothing_are_refused(world: World, action: str, arguments: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        look(as_actor(world.ada), action, [], arguments)


MAY = {  # who may ask for it; finance has no bookings and no slots, support everything here
    "bookings.cancel": "sue ada", "bookings.confirm": "sue ada", "lessons.complete": "sue ada", "slots.block": "sue ada",
    "slots.unblock": "sue ada", "slots.withdraw": "sue ada", "packages.extend": "sue finn ada", "tasks.finish": "sue finn ada",
    "packages.freeze": "sue finn ada", "packages.unfreeze": "sue finn ada", "bookings.restore": "sue ada",
    "tasks.reopen": "sue finn ada", "absences.decide": "sue ada", "absences.take_back": "sue ada",
    "people.write": "sue ada", "messages.redrive": "sue ada",
}  # fmt: skip


@pytest.mark.parametrize("who", ["sue", "finn", "audrey", "ada"])
@pytest.mark.parametrize("action", [action.name for action in ALL])
def test_each_role_may_ask_for_what_the_permission_table_says(world: World, who: str, action: str) -> None:
    person = getattr(world, who)
    letter = {"subject": "Concert", "text": "On Friday."}
    asked = {"bookings.cancel": SCHOOL, "packages.extend": {"days": 3}, "people.write": letter}
    arguments: dict[str, object] = asked.get(action, {})  # type: ignore[assignment]

    answer = _answer(lambda: look(as_actor(person), action, [], arguments))

    assert (answer == "allowed") == (who in MAY[action].split())


@pytest.mark.parametrize("role", [Role.STUDENT, Role.TEACHER, Role.AUDITOR])
def test_nobody_else_starts_a_bulk_action(world: World, role: Role) -> None:
    somebody = world.person("Somebody", role)
    slot = world.slot()

    with pytest.raises(NotAllowed):
        bulk.request_bulk(
            as_actor(somebody), action="slots.block", record_ids=[slot.id], arguments={}, digest="", reason=WHY
        )


def _answer(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except NotAllowed:
        return "refused"
    return "allowed"
