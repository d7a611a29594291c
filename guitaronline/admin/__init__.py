"""The console: Flask-Admin shows, command pages change. `init_admin` puts it together, top to bottom."""

from __future__ import annotations

from flask import Flask

from guitaronline.admin import (  # noqa: F401  # pages that are no desks add themselves
    auth,
    billing_addresses,
    block_range,
    books,
    bulk_pages,
    calendar,
    feeds,
    gate,
    holidays,
    hours,
    illness,
    mail_html,
    message_commands,
    navigation,
    opening,
    papers,
    person_security,
    privacy,
    reconciliation_commands,
    refunding,
    search,
    selling,
    series_pages,
    show,
    substitution,
    test_accounts,
    view_as,
    writing,
)
from guitaronline.admin.account import Account
from guitaronline.admin.approvals import ApprovalsDesk
from guitaronline.admin.audit import AuditDesk
from guitaronline.admin.audit_chain import AuditChain
from guitaronline.admin.backups import BackupsDesk
from guitaronline.admin.base import Console
from guitaronline.admin.bookings import BookingsDesk
from guitaronline.admin.bulk import bulk_of
from guitaronline.admin.bulk_runs import BulkProgress, BulkRunsDesk
from guitaronline.admin.caught_mail import CaughtMail
from guitaronline.admin.checks import ChecksDesk
from guitaronline.admin.closures import ClosuresDesk
from guitaronline.admin.command_page import commands
from guitaronline.admin.dead_letters import DeadLetters
from guitaronline.admin.disputes import DisputesDesk
from guitaronline.admin.elevated import ElevatedDesk
from guitaronline.admin.evidence import EvidencePack
from guitaronline.admin.exports import ExportsDesk, init_exports
from guitaronline.admin.fee_contracts import FeeContractsDesk
from guitaronline.admin.integrity import Integrity
from guitaronline.admin.invoice_settings import InvoiceSettingsDesk, TaxRatesDesk
from guitaronline.admin.invoices import CreditNotesDesk, InvoicesDesk
from guitaronline.admin.journal import AccountsDesk, Journal
from guitaronline.admin.kpis import KpisPage
from guitaronline.admin.lessons import LessonsDesk
from guitaronline.admin.liability import Liability
from guitaronline.admin.matches import MatchesDesk
from guitaronline.admin.merging import DuplicatesDesk, MergesDesk
from guitaronline.admin.message_templates import Templates
from guitaronline.admin.messages import MessagesDesk
from guitaronline.admin.money_page import MoneyPage
from guitaronline.admin.notes import TasksDesk
from guitaronline.admin.opening import OpeningDesk
from guitaronline.admin.packages import PackagesDesk
from guitaronline.admin.payment_exceptions import PaymentExceptionsDesk
from guitaronline.admin.payments import PaymentsDesk
from guitaronline.admin.people import PeopleDesk
from guitaronline.admin.periods import PeriodsDesk
from guitaronline.admin.plans import PlansDesk
from guitaronline.admin.provider_events import ProviderEventsDesk
from guitaronline.admin.rates import RatesDesk
from guitaronline.admin.readings import ErasuresDesk, ReadingsDesk, init_readings
from guitaronline.admin.reconciliation import ExceptionsDesk
from guitaronline.admin.refunds import RefundsDesk
from guitaronline.admin.roles import Roles
from guitaronline.admin.series import SeriesDesk
from guitaronline.admin.service_keys import ServiceKeysDesk
from guitaronline.admin.settlement_lines import LinesDesk
from guitaronline.admin.settlement_profiles import ProfilesDesk
from guitaronline.admin.settlements import ImportsDesk, init_settlements
from guitaronline.admin.slots import SlotsDesk
from guitaronline.admin.statements import StatementRound, StatementsDesk
from guitaronline.admin.system import EventsDesk, JobsDesk
from guitaronline.admin.teachers import TeachersDesk
from guitaronline.admin.time_off import TimeOffDesk
from guitaronline.admin.today import Today
from guitaronline.admin.waitlist import WaitlistDesk
from guitaronline.admin.webhooks import DeliveriesDesk, EndpointsDesk

DESKS = (
    BookingsDesk,
    SeriesDesk,
    SlotsDesk,
    ClosuresDesk,
    WaitlistDesk,
    TimeOffDesk,
    LessonsDesk,
    PeopleDesk,
    TeachersDesk,
    DuplicatesDesk,
    MergesDesk,
    OpeningDesk,
    TasksDesk,
    MessagesDesk,
    PackagesDesk,
    PlansDesk,
    PaymentsDesk,
    RefundsDesk,
    DisputesDesk,
    ApprovalsDesk,
    PaymentExceptionsDesk,
    ProviderEventsDesk,
    ExceptionsDesk,
    MatchesDesk,
    PeriodsDesk,
    FeeContractsDesk,
    ImportsDesk,
    LinesDesk,
    ProfilesDesk,
    InvoicesDesk,
    CreditNotesDesk,
    InvoiceSettingsDesk,
    TaxRatesDesk,
    StatementsDesk,
    RatesDesk,
    AccountsDesk,
    AuditDesk,
    ChecksDesk,
    ReadingsDesk,
    ErasuresDesk,
    BackupsDesk,
    ExportsDesk,
    BulkRunsDesk,
    EventsDesk,
    JobsDesk,
    ElevatedDesk,
    ServiceKeysDesk,
    EndpointsDesk,
    DeliveriesDesk,
)


def init_admin(app: Flask) -> None:
    navigation.init_navigation(app)
    app.jinja_env.globals.update(when=show.when, viewed=view_as.viewed, new_key=view_as.new_key, bulk_of=bulk_of)
    auth.init_auth(app)
    console = Console(Today())
    for page in (
        Account,
        illness.WhoIsIll,
        AuditChain,
        Integrity,
        Roles,
        view_as.ViewAs,
        BulkProgress,
        KpisPage,
        MoneyPage,
        Liability,
        Journal,
        StatementRound,
        calendar.Calendar,
        papers.StatementPage,
        search.Search,
        EvidencePack,
        DeadLetters,
        Templates,
        CaughtMail,
    ):
        console.add_view(page())
    for desk in DESKS:
        console.add_view(desk())
    console.init_app(app)
    app.register_blueprint(commands.blueprint())
    init_exports(app)
    init_readings(app)
    init_settlements(app)
    app.register_blueprint(books.blueprint)
    app.register_blueprint(calendar.feed)
    app.register_blueprint(search.feed)
    app.register_blueprint(papers.blueprint)
    app.register_blueprint(mail_html.blueprint)
    app.register_blueprint(opening.blueprint)
    gate.guard(app)  # last: every route stands, and each must name what it needs
