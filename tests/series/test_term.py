"""A term of weekly lessons, told from the first call to the last lesson: a closure in it, the night the clocks go back, an
illness, another weekday from January on, and an end before its time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from guitaronline import checks, clock
from guitaronline.actor import Role
from guitaronline.booking.absences import create_closure
from guitaronline.booking.horizon import regenerate_slots, set_hours
from guitaronline.booking.series import Wanted, create_series, extend_series, preview_series
from guitaronline.booking.series_canceling import cancel_series
from guitaronline.booking.series_models import SeriesStatus
from guitaronline.booking.series_moving import NewTime, move_series
from guitaronline.booking.series_rules import Term, effective_status
from guitaronline.booking.service import cancel_booking
from guitaronline.lessons.service import complete_lesson
from guitaronline.scheduling.models import SlotOrigin
from guitaronline.scheduling.rules import Window
from tests.booking.conftest import refused
from tests.series.conftest import lessons, starts
from tests.world import World, as_actor

SEPTEMBER = datetime(2026, 9, 1, 8, tzinfo=UTC)
MONDAYS = Window(frozenset([0]), time(15), time(18), 60)


def test_a_term(db: Session, world: World) -> None:
    sue = as_actor(world.sue)

    with clock.standing_at(SEPTEMBER):
        # Clara teaches in Berlin, on Mondays from three to six; the school closes for a week in October.
        clara = world.person("Clara", Role.TEACHER, timezone="Europe/Berlin")
        set_hours(sue, clara.id, windows=[MONDAYS])
        create_closure(sue, name="Autumn break", first_day=date(2026, 10, 12), last_day=date(2026, 10, 23))
        autumn = world.package(lessons=10, expires_at=datetime(2026, 12, 1, tzinfo=UTC))
        later = world.package(lessons=10)

        # A term of Mondays at three: two dates fall into the break, and are named before anything is written.
        term = Term(date(2026, 9, 14), time(15), 60, last_day=date(2026, 12, 14))
        wish = Wanted(world.ann.id, clara.id, term)
        broken = [each.date.day for each in preview_series(db, sue, wish).dates if each.reasons]
        assert broken == [date(2026, 10, 12), date(2026, 10, 19)]
        with refused("school_closed", "school_closed", code="series_conflicts"):
            create_series(sue, wanted=wish, reason="autumn term")
        wish = Wanted(world.ann.id, clara.id, term, skip=frozenset(broken))
        series = create_series(sue, wanted=wish, reason="autumn term").series

        # Three o'clock stays three o'clock in Berlin; UTC goes on by an hour with the last Sunday of October.
        assert starts(series) == [
            "Mon 14 Sep 13:00", "Mon 21 Sep 13:00", "Mon 28 Sep 13:00", "Mon 05 Oct 13:00", "Mon 26 Oct 14:00",
            "Mon 02 Nov 14:00", "Mon 09 Nov 14:00", "Mon 16 Nov 14:00", "Mon 23 Nov 14:00", "Mon 30 Nov 14:00",
            "Mon 07 Dec 14:00", "Mon 14 Dec 14:00",
        ]  # fmt: skip
        # The hours' own slots were taken while they reach; the package that ends first was used as long as it lasts.
        assert lessons(series)[0].slot.origin is SlotOrigin.GENERATED
        assert [each.package_id for each in lessons(series)] == [autumn.id] * 10 + [later.id] * 2

    with clock.standing_at(datetime(2026, 9, 14, 14, tzinfo=UTC)):
        # The first lesson was given.
        first = lessons(series)[0]
        assert first.lesson
        complete_lesson(as_actor(clara), first.lesson.id)

    with clock.standing_at(datetime(2026, 11, 1, 8, tzinfo=UTC)):
        # The nights' work comes as far as December and finds the lessons there: nothing is made over them.
        regenerate_slots(sue, clara.id)
        # Ann is ill for one Monday, in time: this lesson alone comes back.
        cancel_booking(as_actor(world.ann), lessons(series)[5].id)
        assert world.again(autumn).available == 1
        # From 23 November on, Ann has choir on Mondays: the rest of the term moves to Wednesdays at four.
        from_here = next(each for each in lessons(series) if each.series_day == date(2026, 11, 23))
        to = NewTime(2, time(16), from_booking=from_here.id, cause="student")
        move_series(sue, series.id, to=to, reason="choir")
        assert starts(series)[-4:] == ["Wed 25 Nov 15:00", "Wed 02 Dec 15:00", "Wed 09 Dec 15:00", "Wed 16 Dec 15:00"]
        # It goes on until the end of January, the holidays left out.
        holidays = frozenset([date(2026, 12, 23), date(2026, 12, 30)])
        extend_series(sue, series.id, last_day=date(2027, 1, 20), skip=holidays, reason="spring")
        assert starts(series)[-3:] == ["Wed 06 Jan 15:00", "Wed 13 Jan 15:00", "Wed 20 Jan 15:00"]

    with clock.standing_at(datetime(2027, 1, 5, 20, tzinfo=UTC)):
        # Ann moves away, the evening before a lesson: that one counts, the other two return.
        left = world.again(later).available
        gone = cancel_series(sue, series.id, from_booking=lessons(series)[-3].id, reason="moved away", cause="student")
        assert [(each.decision or {})["outcome"] for each in map(world.again, gone.canceled)] == [
            "forfeited",
            "returned",
            "returned",
        ]
        assert world.again(later).available == left + 2
        ended = world.again(series)
        assert (ended.status, ended.last_day) == (SeriesStatus.ENDED, date(2027, 1, 5))
        assert checks.run_all(db) == []


def test_a_series_reads_ended_when_its_last_day_is_over(db: Session, world: World, monday: None) -> None:
    world.package()
    wish = Wanted(world.ann.id, world.tom.id, Term(date(2026, 3, 9), time(15), 60, count=1))
    series = create_series(as_actor(world.sue), wanted=wish, reason="a try").series

    last_second = datetime(2026, 3, 10, tzinfo=UTC) - timedelta(seconds=1)
    assert effective_status(series, last_second) is SeriesStatus.ACTIVE
    assert effective_status(series, last_second + timedelta(seconds=1)) is SeriesStatus.ENDED
