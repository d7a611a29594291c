"""The teacher's weekly hours: edited on their own clock, looked at before they are saved, on the students' clocks too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import flask
from flask.typing import ResponseReturnValue

from guitaronline.booking.horizon import hours_of, preview_hours, set_hours
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.portal import far_clocks, hours_form, queries, times
from guitaronline.portal.doing import carry_out
from guitaronline.portal.far_clocks import Far
from guitaronline.portal.gate import page
from guitaronline.portal.hours_form import HoursForm
from guitaronline.scheduling.planning import WINDOWS_MAX, Plan, hours_digest, hours_problems
from guitaronline.scheduling.rules import Window
from guitaronline.signed_in import now, viewer

LATELY = timedelta(days=60)  # whoever had lessons since then counts as a student
DAYS_SHOWN = 60  # of each list of the preview
STAYS = {
    "made_by_hand": "made by hand",
    "blocked": "kept back",
    "occupied": "booked or held",
    "begun": "begun",
}
LOOK_FIRST = Reason("look_first", "You changed something after you looked.", "Look at what changes, then save.")
TOO_MANY = Reason("too_many_windows", f"A week has at most {WINDOWS_MAX} windows; nothing was changed.")


@dataclass(frozen=True)
class Line:
    """What becomes of a day's slots."""

    day: str
    words: list[str]


@dataclass(frozen=True)
class Preview:
    made: int
    removed: int
    same: int
    lists: list[tuple[str, list[Line]]]  # heading and days
    far: list[tuple[str, int, Far]]  # place, students, hours there
    windows: list[str]


@page("/hours", Permission.MANAGE_SLOTS, "GET", "POST")
def hours() -> ResponseReturnValue:
    if flask.request.method == "GET":
        return _page(hours_form.opened(hours_of(session(), viewer().id)))
    if hours_form.has_too_many(flask.request.form):
        form = hours_form.opened(hours_of(session(), viewer().id))
        return _page(form, reasons=[TOO_MANY]), 422
    return _answer(HoursForm(), flask.request.form.get("do", "look"))


def _answer(form: HoursForm, wish: str) -> ResponseReturnValue:
    if wish == "add" and len(form.windows.entries) < WINDOWS_MAX:
        form.add_row()
        return _page(form)
    if wish.startswith("remove-"):
        form.remove_row(wish.removeprefix("remove-"))
        return _page(form)
    if not form.validate():
        return _page(form), 422
    windows = form.all_windows()
    problems = hours_problems(windows)
    if problems:
        return _page(form, reasons=form.point_out(problems)), 422
    is_seen = form.seen.data == hours_digest(windows)
    base, form.base.data = form.base.data or "", hours_digest(hours_of(session(), viewer().id))
    form.show_seen(windows)
    if wish == "save" and is_seen:
        return _save(form, windows, base)
    return (_page(form, windows, [LOOK_FIRST]), 409) if wish == "save" else (_page(form, windows), 200)


def _save(form: HoursForm, windows: Sequence[Window], base: str) -> ResponseReturnValue:
    return carry_out(
        form,
        lambda: set_hours(viewer().actor, viewer().id, windows=windows, seen=base),
        to=lambda _: flask.url_for("portal.hours"),
        say=lambda done: (
            f"Your hours are saved: {_number(done.plan.make, 'slot')} made, {len(done.plan.remove)} taken away."
        ),
        again=lambda refusal: _page(form, windows, refusal=refusal),
    )


def _page(
    form: HoursForm,
    windows: Sequence[Window] | None = None,
    reasons: Sequence[Reason] = (),
    refusal: DomainError | None = None,
) -> str:
    """With the preview, when `windows` have no problems."""
    return flask.render_template(
        "portal/hours.html",
        form=form,
        reasons=reasons,
        refusal=refusal,
        preview=_preview(windows) if windows is not None else None,
        place=times.place_of(viewer().timezone),
        most=WINDOWS_MAX,
    )


def _preview(windows: Sequence[Window]) -> Preview:
    teacher = session().get_one(User, viewer().id)
    plan = preview_hours(session(), teacher, windows, now())
    zones = queries.zones_of_students(session(), viewer().id, since=now() - LATELY)
    own = times.zone()
    far = [
        (
            times.place_of(each.zone),
            each.students,
            far_clocks.far_hours(windows, own, ZoneInfo(each.zone), times.today()),
        )
        for each in zones
        if each.zone != viewer().timezone
    ]
    ordered = [far_clocks.wall_words(each) for each in windows]
    return Preview(len(plan.make), len(plan.remove), len(plan.same), _lists(plan), far, ordered)


def _lists(plan: Plan) -> list[tuple[str, list[Line]]]:
    named = (
        ("New", [(each.local, "") for each in plan.make]),
        ("Taken away", [(_wall(each.start_at), "") for each in plan.remove]),
        (
            "Stay, although these hours do not ask for them",
            [(_wall(each.start_at), STAYS.get(each.stays_because or "", "")) for each in plan.kept],
        ),
        ("Not possible", [(each.local, each.detail.removesuffix(".")) for each in plan.skipped]),
    )
    return [(f"{heading}: {len(found)}", _by_day(found)) for heading, found in named if found]


def _by_day(found: Sequence[tuple[datetime, str]]) -> list[Line]:
    """`14:00 · 15:00 booked or held`"""
    days: dict[date, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for local, why in found:
        days[local.date()][why].append(f"{local:%H:%M}")
    return [
        Line(times.day(on), [f"{' · '.join(at)} {why}".strip() for why, at in whys.items()])
        for on, whys in sorted(days.items())
    ][:DAYS_SHOWN]


def _wall(moment: datetime) -> datetime:
    return moment.astimezone(times.zone()).replace(tzinfo=None)


def _number(found: Sequence[Any], one: str) -> str:
    return f"{len(found)} {one}{'' if len(found) == 1 else 's'}"
