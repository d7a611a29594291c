"""The stage: what the school knows of itself while it is being lived, and the agenda that lives it.

Everything happens through commands, each at its own moment of the shifted clock, in the order of those moments.
"""

from __future__ import annotations

import heapq
import random
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID
from zoneinfo import ZoneInfo

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.demo.cast import PlanPart, TeacherPart

DAYS_BACK, DAYS_AHEAD = 42, 28
FOUNDED_DAYS_BEFORE = 2  # the school is set up before its first day

Happening = Callable[[datetime], object]  # is told its moment; the clock stands at it


@dataclass(order=True)
class Place:
    """A slot as the demo remembers it."""

    start: datetime
    end: datetime = field(compare=False)
    slot_id: UUID = field(compare=False)
    free: bool = field(default=True, compare=False)


@dataclass
class Teacher:
    part: TeacherPart
    actor: Actor
    places: list[Place] = field(default_factory=list)  # by start
    gone_from: datetime | None = None  # disabled

    @property
    def id(self) -> UUID:
        assert self.actor.id is not None
        return self.actor.id

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.part.zone)

    def keeps(self, place: Place) -> None:
        insort(self.places, place)


@dataclass
class Student:
    number: int
    full_name: str
    zone: str
    is_child: bool
    joins_at: datetime
    teacher: Teacher
    series: list[Place]  # the same weekday and time every week
    plan: PlanPart
    id: UUID | None = None  # from the moment they join
    until: datetime | None = None  # takes no lessons that start later
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    packages: list[UUID] = field(default_factory=list)
    is_buying: bool = False
    has_tried: bool = False

    @property
    def known_id(self) -> UUID:
        assert self.id is not None
        return self.id

    def is_away(self, *moments: datetime) -> bool:
        left = self.until is not None and max(moments) > self.until
        return left or any(start <= moment < end for start, end in self.pauses for moment in moments)


class School:
    """The cast, what they have, and what happens next."""

    def __init__(self, now: datetime, seed: int) -> None:
        self.now = now
        self.first_day = now - timedelta(days=DAYS_BACK)
        self.founded = self.first_day - timedelta(days=FOUNDED_DAYS_BEFORE)
        self.random = random.Random(seed)  # noqa: S311  # the same school every time
        self.staff: dict[str, Actor] = {}
        self.teachers: list[Teacher] = []
        self.students: list[Student] = []
        self.plans: dict[str, UUID] = {}
        self.guardians: dict[int, UUID] = {}  # by the number of the child
        self.refused: Counter[str] = Counter()  # what life would have refused too: a slot that has just gone
        self._agenda: list[tuple[datetime, int, Happening]] = []
        self._order = count()
        self._transfers = count(10_001)
        self._decks: dict[str, deque[str]] = {}

    @property
    def admin(self) -> Actor:
        return self.staff["admin"]

    @property
    def support(self) -> Actor:
        return self.staff["support"]

    @property
    def finance(self) -> Actor:
        return self.staff["finance"]

    @property
    def finance_second(self) -> Actor:
        return self.staff["finance.second"]

    def on(self, moment: datetime, happening: Happening) -> None:
        """It will happen, if its moment has come by now; what lies in the future has not happened yet."""
        if moment <= self.now:
            heapq.heappush(self._agenda, (moment, next(self._order), happening))

    def live(self) -> int:
        """Everything on the agenda happens, and what follows from it; how many things that were."""
        happened = 0
        while self._agenda:
            moment, _, happening = heapq.heappop(self._agenda)
            with clock.standing_at(moment):
                happening(moment)
            happened += 1
        return happened

    def days(self, low: float, high: float) -> timedelta:
        return self._between(low * 86_400, high * 86_400)

    def hours(self, low: float, high: float) -> timedelta:
        return self._between(low * 3_600, high * 3_600)

    def minutes(self, low: float, high: float) -> timedelta:
        return self._between(low * 60, high * 60)

    def _between(self, low: float, high: float) -> timedelta:
        return timedelta(seconds=self.random.randint(int(low), int(high)))

    def ago(self, days: float = 0, *, hours: float = 0, minutes: float = 0) -> datetime:
        return self.now - timedelta(days=days, hours=hours, minutes=minutes)

    def one_of(self, words: tuple[str, ...] | list[str]) -> str:
        return self.random.choice(words)

    def next_of(self, name: str, deck: tuple[str, ...]) -> str:
        """The next card of that shuffled deck; every card comes before one comes again."""
        cards = self._decks.setdefault(name, deque())
        if not cards:
            cards.extend(self.random.sample(deck, len(deck)))
        return cards.popleft()

    def transfer(self) -> str:
        return f"BANK-{next(self._transfers)}"

    def student_actor(self, student: Student) -> Actor:
        return Actor(student.known_id, Role.STUDENT)
