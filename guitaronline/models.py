"""Every table, imported once, so that the metadata is whole."""

from guitaronline.audit import models as audit
from guitaronline.backups import models as backups
from guitaronline.billing import dispute_models as disputes
from guitaronline.billing import expiry_models as expiry
from guitaronline.billing import models as billing
from guitaronline.billing import provider_models as providers
from guitaronline.billing import refund_models as refunds
from guitaronline.billing import sandbox_models as sandbox
from guitaronline.billing.invoices import models as invoices
from guitaronline.billing.reconciliation import models as reconciliation
from guitaronline.billing.reconciliation import period_models as periods
from guitaronline.billing.reconciliation import work_tables as matching
from guitaronline.billing.settlements import fetch_models as fetches
from guitaronline.billing.settlements import models as settlements
from guitaronline.booking import absence_models as absences
from guitaronline.booking import feed_models as feeds
from guitaronline.booking import models as booking
from guitaronline.booking import series_models as series
from guitaronline.booking import waitlist_models as waitlist
from guitaronline.finance import account_models as accounts
from guitaronline.finance import statement_models as statements
from guitaronline.identity import key_models as service_keys
from guitaronline.identity import models as identity
from guitaronline.identity import privacy_models as privacy
from guitaronline.identity import sign_in_models as sign_in
from guitaronline.kpis import models as kpis
from guitaronline.lessons import models as lessons
from guitaronline.notifications import models as notifications
from guitaronline.notifications import report_models as message_reports
from guitaronline.office import bulk_models as bulk
from guitaronline.office import export_models as exports
from guitaronline.office import merge_models as merges
from guitaronline.office import opening_models as opening
from guitaronline.office import view_models as saved_views
from guitaronline.scheduling import hours_models as hours
from guitaronline.scheduling import models as scheduling
from guitaronline.teachers import models as teachers
from guitaronline.webhooks import models as webhooks

__all__ = [
    "absences",
    "accounts",
    "audit",
    "backups",
    "billing",
    "booking",
    "bulk",
    "disputes",
    "expiry",
    "exports",
    "feeds",
    "fetches",
    "hours",
    "identity",
    "invoices",
    "kpis",
    "lessons",
    "matching",
    "merges",
    "message_reports",
    "notifications",
    "opening",
    "periods",
    "privacy",
    "providers",
    "reconciliation",
    "refunds",
    "sandbox",
    "saved_views",
    "scheduling",
    "series",
    "service_keys",
    "settlements",
    "sign_in",
    "statements",
    "teachers",
    "waitlist",
    "webhooks",
]
