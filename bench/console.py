"""How fast the console is: pages, search, the year's numbers, files; beside other admin consoles, and beside a small school.

`make bench CONSOLE=1`. The school is that of `instance.py`; BENCH_TEACHERS, BENCH_STUDENTS and BENCH_PER_STUDENT make a
smaller one in another BENCH_VAR_DIR. Times are the client's, on loopback over one connection.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote_plus

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import export, load, rivals  # the tree is not installed
from bench.browser import Browser
from bench.instance import HUNDREDTH, VAR, Instance, running
from bench.run import machine
from guitaronline.admin import DESKS

TIMES = 60  # of each page; p95 is then the fourth slowest
WARM_UP = 6  # both web processes have made their plans
PAGE_MS, SEARCH_MS = 100, 50
FIRST_KB, WARM_KB = 400, 40
FILE_SECONDS, FILE_MB = 4, 60
OURS_TO_STOCK, OURS_TO_DJANGO = 10, 2
GROWTH = 1.3
BOOKINGS = "/admin/bookings/"
SMALL = VAR / "hundredth"  # a school of its own
Pages = list[tuple[str, str]]


@dataclass(frozen=True)
class Timing:
    name: str
    p50: float
    p95: float

    def __str__(self) -> str:
        return f"{self.name:44} p50 {self.p50:7.1f} ms   p95 {self.p95:7.1f} ms"


@dataclass(frozen=True)
class School:
    instance: Instance
    browser: Browser

    def measured(self, pages: Pages) -> list[Timing]:
        return [timing(self.instance.port, name, path, self.browser.cookie) for name, path in pages]


def main() -> None:
    print(f"machine: {machine()}")
    with running() as instance:
        school = opened(instance)
        counts = {table: instance.value(f"SELECT count(*) FROM {table}") for table in ("bookings", "audit_changes")}
        print(f"bookings: {counts['bookings']}, changes in the audit: {counts['audit_changes']}")
        waiting = instance.value("SELECT count(*) FROM kpi_touched")
        if waiting != "0":
            print(f"note: {waiting} days of the KPIs are still being counted, by the worker, beside what is measured")
        ours = school.measured(pages(school.browser))
        tell(f"the console (target: p95 < {PAGE_MS} ms)", ours)
        tell(f"search (target: p95 < {SEARCH_MS} ms)", school.measured(searches(instance)))
        tell_weight(school.browser)
        tell_file(school)
        tell_rivals(instance, ours)
        with running(18101, var=SMALL, size=HUNDREDTH) as small:
            tell_growth(school, opened(small))


def opened(instance: Instance) -> School:
    instance.psql("audit.sql")
    return School(instance, Browser(instance))


def pages(browser: Browser) -> Pages:
    """Today, the numbers of a year, each desk's first page and a record of it, bookings narrowed down and at their end."""
    found = [("Today", "/admin/"), *years()]
    for desk in DESKS:
        path = f"/admin/{desk.path}/"
        found.append((f"{desk.title}, first page", path))
        record = re.search(rf'href="({path}details/\?id=[^"]+)"', browser.get(path))
        if record:
            found.append((f"{desk.title}, a record", unescape(record[1])))
    return [*found, *narrowed(), *deep(browser)]


def years() -> Pages:
    """The year that ends today, and the one in which most happened."""
    today = date.today()  # noqa: DTZ011  # the school's zone is UTC here
    spans = ((today - timedelta(days=364), today), (date(2019, 6, 1), date(2020, 5, 31)))
    return [(f"KPIs, a year until {last}", f"/admin/kpis/?from={first}&to={last}") for first, last in spans]


def narrowed() -> Pages:
    month, day = "2020-02-01..2020-02-29", "2021-02-01"
    return [
        ("Bookings, confirmed in one month", f"{BOOKINGS}?state=confirmed&day={month}"),
        ("Bookings, one student's by name", f"{BOOKINGS}?search=Student+77"),
        ("Slots, booked", "/admin/slots/?state=booked"),
        ("Slots, open", "/admin/slots/?state=open"),
        ("Audit, a day without entries", f"/admin/audit/?day={day}"),
        ("People, since a day", f"/admin/people/?since={day}"),
    ]


def deep(browser: Browser) -> Pages:
    """As a person gets there: the last page by number and Next from it, Last and Previous from it."""
    by_number, end = f"{BOOKINGS}?page=200", f"{BOOKINGS}?before=end"
    return [
        ("Bookings, the last page that has a number", by_number),
        ("Bookings, the page after it", _link(browser.get(by_number), "next")),
        ("Bookings, the last page", end),
        ("Bookings, the page before it", _link(browser.get(end), "prev")),
    ]


def _link(page: str, rel: str) -> str:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    if found is None:
        raise SystemExit(f"a list has no link {rel}")
    return unescape(found[1])


def searches(instance: Instance) -> Pages:
    """As the box under the search field asks while somebody types."""
    reference = instance.value("SELECT reference FROM bookings LIMIT 1")
    kinds = {
        "a reference": reference,
        "an e-mail address": "student77@bench.example",
        "a whole name": "Student 77",
        "what most names have": "student",
        "the end of a name": "dent 199",
        "part of an address": "t1999@bench",
        "nothing": "zzqqxx",
    }
    return [(f"Search, {kind}", f"/admin/search/suggest?q={quote_plus(words)}") for kind, words in kinds.items()]


def tell(title: str, timings: Sequence[Timing]) -> None:
    print(title)
    print("\n".join(f"  {each}" for each in timings), flush=True)


def tell_weight(browser: Browser) -> None:
    print(f"weight, compressed (targets: first < {FIRST_KB} kB, then < {WARM_KB} kB)")
    for name, path in (
        ("Today", "/admin/"),
        ("Bookings", BOOKINGS),
        ("Calendar", "/admin/calendar/"),
        ("KPIs", years()[1][1]),
    ):
        first, warm = browser.weight(path)
        print(f"  {name:44} first {first / 1000:6.1f} kB   then {warm / 1000:6.1f} kB")


def tell_file(school: School) -> None:
    """The second of two: the worker has been at work before, as in a school it has."""
    export.take(school.instance, school.browser)
    taken = export.take(school.instance, school.browser)
    print(
        f"CSV of {taken.rows:,} bookings: {taken.seconds:.1f} s, {taken.seconds_of_100_000:.1f} s for 100,000 (target < {FILE_SECONDS}), "
        f"{taken.extra_bytes / 1e6:.0f} MB more (target < {FILE_MB})"
    )


def tell_rivals(instance: Instance, ours: Sequence[Timing]) -> None:
    named = {each.name: each for each in ours}
    own = (named["Bookings, first page"], named["Bookings, the last page"])
    for rival, factor in ((rivals.stock, OURS_TO_STOCK), (rivals.django, OURS_TO_DJANGO)):
        with rival(instance) as other:
            shown = [timing(other.port, name, path, other.cookie) for name, path in other.pages.items()]
        print(other.name)
        for each, mine in zip(shown, own, strict=True):
            print(f"  {each}   ours is {each.p50 / mine.p50:.1f} times as fast (target ≥ {factor})")


def tell_growth(large: School, small: School) -> None:
    """The same pages of both schools in turns, so that whatever else the machine does slows both."""
    few, many = (each.instance.value("SELECT count(*) FROM bookings") for each in (small, large))
    print(f"p50 at {many} bookings ÷ at {few} (target < {GROWTH})")
    for (name, path), (_, other) in zip(grown(large), grown(small), strict=True):
        a, b = in_turns(large, path, small, other)
        print(f"  {name:44} {a:7.1f} ms ÷ {b:7.1f} ms = {a / b:.2f}", flush=True)


def grown(school: School) -> Pages:
    record = re.search(rf'href="({BOOKINGS}details/\?id=[^"]+)"', school.browser.get(BOOKINGS))
    return [
        ("Today", "/admin/"),
        ("Bookings, first page", BOOKINGS),
        ("Bookings, a record", unescape(record[1]) if record else BOOKINGS),
        ("Bookings, confirmed in one month", narrowed()[0][1]),
        ("Bookings, the last page", f"{BOOKINGS}?before=end"),
        ("People, first page", "/admin/people/"),
        ("Audit, first page", "/admin/audit/"),
        ("KPIs, a year", years()[0][1]),
        ("Search, a whole name", "/admin/search/suggest?q=Student+77"),
    ]


def in_turns(one: School, path: str, other: School, other_path: str) -> tuple[float, float]:
    """Medians in milliseconds of both."""
    asked = [(one, path), (other, other_path)]
    took: list[list[float]] = [[], []]
    for number in range(WARM_UP + TIMES):
        for place, (school, its) in enumerate(asked):
            seen = load.run(school.instance.port, [_once(its, school.browser.cookie)], seconds=60)
            if number >= WARM_UP:
                took[place].append(seen.percentile_ms(0.5, "once"))
    first, second = (sorted(each)[len(each) // 2] for each in took)
    return first, second


def _once(path: str, cookie: str) -> Iterator[load.Request]:
    yield "once", request(path, cookie)


def timing(port: int, name: str, path: str, cookie: str) -> Timing:
    """Raises SystemExit when an answer was not 2xx."""

    def again() -> Iterator[load.Request]:
        for number in range(WARM_UP + TIMES):
            yield "warm-up" if number < WARM_UP else name, request(path, cookie)

    figures = load.run(port, [again()], seconds=300)
    if figures.wrong:
        raise SystemExit(f"{name} {path}: {figures.wrong[0]}")
    return Timing(name, figures.percentile_ms(0.5, name), figures.percentile_ms(0.95, name))


def request(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()


if __name__ == "__main__":
    main()
