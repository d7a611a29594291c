"""The console: Flask-Admin shows, command pages change. `init_admin` puts it together, top to bottom."""

from __future__ import annotations

from flask import Flask

from guitaronline.admin import auth, calendar, gate, navigation, search, show
from guitaronline.admin.approvals import ApprovalsDesk
from guitaronline.admin.audit import AuditDesk
from guitaronline.admin.base import Console
from guitaronline.admin.bookings import BookingsDesk
from guitaronline.admin.checks import ChecksDesk
from guitaronline.admin.command_page import commands
from guitaronline.admin.lessons import LessonsDesk
from guitaronline.admin.notes import TasksDesk
from guitaronline.admin.packages import PackagesDesk
from guitaronline.admin.payments import PaymentsDesk
from guitaronline.admin.people import PeopleDesk
from guitaronline.admin.plans import PlansDesk
from guitaronline.admin.refunds import RefundsDesk
from guitaronline.admin.slots import SlotsDesk
from guitaronline.admin.teachers import TeachersDesk
from guitaronline.admin.today import Decisions, Today

DESKS = (
    BookingsDesk,
    SlotsDesk,
    LessonsDesk,
    PeopleDesk,
    TeachersDesk,
    TasksDesk,
    PackagesDesk,
    PlansDesk,
    PaymentsDesk,
    RefundsDesk,
    ApprovalsDesk,
    AuditDesk,
    ChecksDesk,
)


def init_admin(app: Flask) -> None:
    navigation.init_navigation(app)
    app.jinja_env.globals["when"] = show.when
    auth.init_auth(app)
    console = Console(Today())
    console.add_view(Decisions())
    console.add_view(calendar.Calendar())
    console.add_view(search.Search())
    for desk in DESKS:
        console.add_view(desk())
    console.init_app(app)
    app.register_blueprint(commands.blueprint())
    app.register_blueprint(calendar.feed)
    app.register_blueprint(search.feed)
    gate.guard(app)  # last: every route stands, and each must name what it needs
