# ruff: noqa: S608  # the statements are put together from constants of this file
"""What each number means, in words and in SQL; console, API, rollup, drill-down and check all read it here.

`source` is the statement from FROM on, over `t` and the moments of `days.moments`: it says which rows count between
`:start` and `:end`. The number is `value` over those rows, by `dimension` and `currency`; the drill-down lists the very
same rows by `key`. Test accounts never count.
"""

from __future__ import annotations

from guitaronline.billing.worth import sql_owed
from guitaronline.finance.liability import positions
from guitaronline.kpis.kinds import Difference, Number, Ratio, Section, Unit


def _real(*people: str) -> str:
    """None of these people is a test account. Index: ix_users_test."""
    return "".join(f" AND t.{each} <> ALL (ARRAY(SELECT u.id FROM users u WHERE u.is_test))" for each in people)


BOTH = _real("student_id", "teacher_id")
STUDENT = _real("student_id")
MOVED = "EXISTS (SELECT FROM bookings s WHERE s.rescheduled_from_booking_id = t.id)"  # bookings_one_successor
CALLED_OFF = "FROM bookings t WHERE t.canceled_at >= :start AND t.canceled_at < :end AND t.confirmed_at IS NOT NULL"
DELIVERED = (  # as billing.queries.DELIVERED; a lesson canceled late is one that was not returned
    "NOT t.is_returned AND (t.status IN ('completed', 'canceled') OR (t.status = 'no_show' AND t.no_show_side = 'student'))"
)
TAUGHT = "t.scheduled_start_at >= :start AND t.scheduled_start_at < :end"
SOLD = "FROM packages t WHERE t.activated_at >= :start AND t.activated_at < :end AND t.origin IN ('purchase', 'on_account')"
EARLIER = (  # ix_packages_student
    "EXISTS (SELECT FROM packages p WHERE p.student_id = t.student_id AND p.origin IN ('purchase', 'on_account')"
    " AND (p.activated_at, p.id) < (t.activated_at, t.id))"
)
LATER = EARLIER.replace("<", ">")
OWED_NOW = sql_owed("t.available + t.reserved + coalesce(l.ahead, 0)", price="t.price_minor", total="t.lessons_total")
OWED_AT_END = """
  FROM (SELECT e.package_id, sum(e.d_available + e.d_reserved) AS unused, sum(e.d_consumed) AS consumed
          FROM credit_entries e WHERE e.created_at < :end GROUP BY e.package_id) e
  JOIN packages t ON t.id = e.package_id"""

NUMBERS: tuple[Number, ...] = (
    Number(
        "bookings",
        "Bookings",
        "Bookings of lessons on these days, by the state they have now. A hold that lapsed is expired.",
        Section.BOOKINGS,
        f"FROM bookings t WHERE t.start_at >= :start AND t.start_at < :end{BOTH}",
        "bookings",
        dimension="CASE WHEN t.status = 'hold' AND (t.hold_expires_at <= :now OR t.start_at < :midnight)"
        " THEN 'expired' ELSE t.status END",
    ),
    Number(
        "holds",
        "Holds made",
        "Slots that were held on these days, whatever became of them.",
        Section.BOOKINGS,
        f"FROM bookings t WHERE t.created_at >= :start AND t.created_at < :end AND t.hold_expires_at IS NOT NULL{BOTH}",
        "bookings",
    ),
    Number(
        "holds_confirmed",
        "Holds confirmed",
        "Of the holds made on these days, those that were confirmed, whenever that was.",
        Section.BOOKINGS,
        "FROM bookings t WHERE t.created_at >= :start AND t.created_at < :end"
        f" AND t.hold_expires_at IS NOT NULL AND t.confirmed_at IS NOT NULL{BOTH}",
        "bookings",
    ),
    Number(
        "cancellations",
        "Cancellations",
        "Confirmed bookings that were called off on these days and not moved, by whose doing it was and whether the notice"
        " was as long as agreed.",
        Section.BOOKINGS,
        f"{CALLED_OFF} AND NOT {MOVED}{BOTH}",
        "bookings",
        dimension="t.cancel_cause || CASE WHEN CAST(t.decision ->> 'minutes_of_notice' AS integer)"
        " >= 60 * CAST(t.policy ->> 'refund_window_hours' AS integer) THEN ', in time' ELSE ', late' END",
        good=-1,
    ),
    Number(
        "moved",
        "Bookings moved",
        "Confirmed bookings that were moved to another time on these days.",
        Section.BOOKINGS,
        f"{CALLED_OFF} AND {MOVED}{BOTH}",
        "bookings",
        good=0,
    ),
    Number(
        "delivered",
        "Lessons delivered",
        "Lessons of these days that are no longer owed: given, missed by the student, or canceled too late.",
        Section.LESSONS,
        f"FROM lessons t WHERE {TAUGHT} AND {DELIVERED}{BOTH}",
        "lessons",
        dimension="CASE t.status WHEN 'completed' THEN 'given' WHEN 'no_show' THEN 'missed by the student'"
        " ELSE 'canceled late' END",
    ),
    Number(
        "no_shows",
        "No-shows",
        "Lessons of these days to which somebody did not come, by who it was.",
        Section.LESSONS,
        f"FROM lessons t WHERE {TAUGHT} AND t.status = 'no_show'{BOTH}",
        "lessons",
        dimension="t.no_show_side",
        good=-1,
    ),
    Number(
        "offered",
        "Hours offered",
        "Hours of the teachers' open slots on these days, booked or not.",
        Section.LESSONS,
        f"FROM availability_slots t WHERE t.start_at >= :start AND t.start_at < :end AND t.status = 'open'{_real('teacher_id')}",
        "slots",
        Unit.MINUTES,
        "sum(extract(epoch FROM t.end_at - t.start_at)) / 60",
    ),
    Number(
        "booked",
        "Hours booked",
        "Hours of confirmed bookings on these days.",
        Section.LESSONS,
        f"FROM bookings t WHERE t.start_at >= :start AND t.start_at < :end AND t.status = 'confirmed'{BOTH}",
        "bookings",
        Unit.MINUTES,
        "sum(extract(epoch FROM t.end_at - t.start_at)) / 60",
    ),
    Number(
        "active_students",
        "Active students",
        "Students with a lesson, not canceled, on the last of these days or in the 27 days before it.",
        Section.STUDENTS,
        "FROM lessons t WHERE t.scheduled_start_at >= :active_since AND t.scheduled_start_at < :end"
        f" AND t.status <> 'canceled'{BOTH}",
        "people",
        value="count(DISTINCT t.student_id)",
        key="t.student_id",
        is_level=True,
        is_long=True,
    ),
    Number(
        "new_students",
        "New students",
        "Students whose first package that was bought or taken on account became active on these days. A trial does not count.",
        Section.STUDENTS,
        f"{SOLD} AND NOT {EARLIER}{STUDENT}",
        "packages",
    ),
    Number(
        "renewals",
        "Renewals",
        "Packages that became active on these days for students who had bought one before.",
        Section.STUDENTS,
        f"{SOLD} AND {EARLIER}{STUDENT}",
        "packages",
    ),
    Number(
        "lost_students",
        "Lost students",
        "Students whose last lesson, not canceled, was 28 days before one of these days. The list shows that last lesson.",
        Section.STUDENTS,
        "FROM lessons t WHERE t.scheduled_start_at >= :quiet_start AND t.scheduled_start_at < :quiet_end"
        " AND t.status <> 'canceled' AND NOT EXISTS (SELECT FROM lessons l WHERE l.student_id = t.student_id"  # ix_lessons_student_start
        " AND l.scheduled_start_at > t.scheduled_start_at AND l.status <> 'canceled'"
        " AND CAST(l.scheduled_start_at AT TIME ZONE :zone AS date)"
        f" <= CAST(t.scheduled_start_at AT TIME ZONE :zone AS date) + :quiet_days){BOTH}",
        "lessons",
        is_long=True,
        good=-1,
    ),
    Number(
        "trials",
        "Trials",
        "Trial packages that became active on these days.",
        Section.STUDENTS,
        f"FROM packages t WHERE t.activated_at >= :start AND t.activated_at < :end AND t.is_trial{STUDENT}",
        "packages",
    ),
    Number(
        "trials_bought",
        "Trials that led to a purchase",
        "Of the trials of these days, those whose student bought a package afterwards, whenever that was.",
        Section.STUDENTS,
        f"FROM packages t WHERE t.activated_at >= :start AND t.activated_at < :end AND t.is_trial AND {LATER}{STUDENT}",
        "packages",
    ),
    Number(
        "packages_sold",
        "Packages sold",
        "Packages that were bought or taken on account and became active on these days.",
        Section.SALES,
        f"{SOLD}{STUDENT}",
        "packages",
        dimension="t.origin",
    ),
    Number(
        "revenue_gross",
        "Revenue, gross",
        "Cash received: payments whose money came on these days, also those that were refunded later.",
        Section.SALES,
        "FROM payments t WHERE t.paid_at >= :start AND t.paid_at < :end"
        f" AND t.status IN ('succeeded', 'refunded'){STUDENT}",
        "payments",
        Unit.MONEY,
        "sum(t.amount_minor)",
        currency="t.currency",
    ),
    Number(
        "refunds",
        "Refunds",
        "Money that was paid back on these days. What a bank took back by a dispute is not among it, nor are lessons that were"
        " given instead of money.",
        Section.SALES,
        "FROM refunds t JOIN payments p ON p.id = t.payment_id WHERE t.settled_at >= :start AND t.settled_at < :end"
        f" AND t.status = 'succeeded'{STUDENT.replace('t.student_id', 'p.student_id')}",
        "refunds",
        Unit.MONEY,
        "sum(t.amount_minor)",
        currency="t.currency",
        good=-1,
    ),
    Number(
        "disputes_lost",
        "Disputes lost",
        "Money that banks took back for good by disputes that were decided on these days. It is no refund.",
        Section.SALES,
        "FROM disputes t JOIN payments p ON p.id = t.payment_id WHERE t.decided_at >= :start AND t.decided_at < :end"
        f" AND t.status = 'lost'{STUDENT.replace('t.student_id', 'p.student_id')}",
        "disputes",
        Unit.MONEY,
        "sum(t.amount_minor)",
        currency="t.currency",
        good=-1,
    ),
    Number(
        "credits",
        "Lessons given instead of money",
        "What payments were worth for which lessons were given instead of money on these days. No money left.",
        Section.SALES,
        "FROM refund_credits t JOIN payments p ON p.id = t.payment_id WHERE t.created_at >= :start AND t.created_at < :end"
        f"{STUDENT.replace('t.student_id', 'p.student_id')}",
        "payments",
        Unit.MONEY,
        "sum(t.amount_minor)",
        currency="t.currency",
        key="t.payment_id",
        good=0,
    ),
    Number(
        "earned",
        "Revenue earned",
        "Lessons delivered on these days, each at its package's price per lesson, rounded down to a whole minor unit; the"
        " liability report adds up to the whole price.",
        Section.SALES,
        f"FROM lessons t JOIN packages p ON p.id = t.package_id WHERE {TAUGHT} AND {DELIVERED}"
        f" AND p.price_minor > 0 AND p.lessons_total > 0{BOTH}",
        "lessons",
        Unit.MONEY,
        "sum(p.price_minor / p.lessons_total)",
        currency="p.currency",
    ),
    Number(
        "outstanding",
        "Lessons outstanding",
        "Lessons in packages that are still to be booked or confirmed, at the end of the last day; now, if that is today.",
        Section.SALES,
        f"FROM packages t WHERE t.available + t.reserved > 0{STUDENT}",
        "packages",
        value="sum(t.available + t.reserved)",
        is_level=True,
        is_long=True,
        good=0,
        at_end=f"'' AS dimension, '' AS currency, CAST(coalesce(sum(e.unused), 0) AS bigint) AS value {OWED_AT_END} WHERE true{STUDENT}",
    ),
    Number(
        "expiring",
        "Lessons expiring",
        "Of the lessons outstanding, those in packages that expire within 30 days and are not frozen.",
        Section.SALES,
        "FROM packages t WHERE t.available + t.reserved > 0 AND t.frozen_at IS NULL AND t.status IN ('active', 'depleted')"
        f" AND t.expires_at > :now AND t.expires_at <= :now + make_interval(days => :soon_days){STUDENT}",
        "packages",
        value="sum(t.available + t.reserved)",
        is_level=True,
        is_long=True,
        at_end=f"'' AS dimension, '' AS currency, CAST(coalesce(sum(e.unused), 0) AS bigint) AS value {OWED_AT_END}"
        " WHERE t.frozen_at IS NULL AND t.expires_at > :end"
        f" AND t.expires_at <= :end + make_interval(days => :soon_days){STUDENT}",
        good=-1,
    ),
    Number(
        "liability",
        "Liability of unused lessons",
        "What the school still owes: lessons that were paid for or granted at a price and are not delivered, at their package's"
        " price per lesson, to the minor unit as in the liability report, at the end of the last day; now, if that is today.",
        Section.SALES,
        "FROM packages t LEFT JOIN (SELECT l.package_id, count(*) AS ahead FROM lessons l WHERE l.status = 'scheduled'"
        " GROUP BY l.package_id) l ON l.package_id = t.id WHERE t.price_minor > 0 AND t.lessons_total > 0"
        f" AND t.available + t.reserved + coalesce(l.ahead, 0) > 0{STUDENT}",
        "packages",
        Unit.MONEY,
        f"sum({OWED_NOW})",
        currency="t.currency",
        is_level=True,
        is_long=True,
        good=0,
        at_end="'' AS dimension, t.currency, CAST(sum(t.owed_minor) AS bigint) AS value"
        f" FROM ({positions(':end')}) t GROUP BY t.currency",
    ),
)
RATIOS = (
    Ratio(
        "conversion",
        "Hold to confirmation",
        "Holds confirmed ÷ holds made.",
        Section.BOOKINGS,
        "holds_confirmed",
        "holds",
    ),
    Ratio(
        "utilization",
        "Teacher utilization",
        "Hours booked ÷ hours offered.",
        Section.LESSONS,
        "booked",
        "offered",
    ),
    Ratio(
        "trial_conversion",
        "Trial to purchase",
        "Trials whose student bought a package afterwards ÷ trials.",
        Section.STUDENTS,
        "trials_bought",
        "trials",
    ),
)
DIFFERENCES = (
    Difference(
        "revenue_net",
        "Revenue, net",
        "Revenue, gross, less refunds and less disputes that were lost.",
        Section.SALES,
        "revenue_gross",
        ("refunds", "disputes_lost"),
    ),
)

BY_CODE: dict[str, Number] = {each.code: each for each in NUMBERS}
LEVELS = [each.code for each in NUMBERS if each.is_level]
KEPT = [each.code for each in NUMBERS if each.is_kept]
LONG = [each.code for each in NUMBERS if each.is_long]
# One statement each: one way to the database and back.
COUNT_QUICK, COUNT_LONG = (
    " UNION ALL ".join(each.counted() for each in NUMBERS if each.is_long is is_long) for is_long in (False, True)
)
COUNT_AGAIN = " UNION ALL ".join(each.counted() for each in NUMBERS if not each.is_kept)
COUNT_KEPT = " UNION ALL ".join(each.counted_at_end() for each in NUMBERS if each.is_kept)
