"""What the database refuses by itself, each rule by its name."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from tests.by_hand import by_hand, refused_by
from tests.world import World

pytestmark = pytest.mark.breaks_invariants  # rows made by hand have no event in the outbox

INSERT = (
    "INSERT INTO teacher_profiles (id, user_id, display_name, experience_years, status, created_at, updated_at)"
    " VALUES (gen_random_uuid(), :user, 'Somebody', :years, :status, now(), now())"
)


def insert(db: Session, **values: Any) -> None:
    by_hand(db, INSERT, **{"years": 1, "status": "active", **values})


def test_experience_is_plausible(world: World, db: Session) -> None:
    insert(db, user=world.ann.id, years=80)
    insert(db, user=world.ben.id, years=0)

    with refused_by("ck_teacher_profiles_experience_plausible"):
        insert(db, user=world.sue.id, years=81)
    with refused_by("ck_teacher_profiles_experience_plausible"):
        insert(db, user=world.sue.id, years=-1)


def test_a_person_has_one_profile_with_a_known_status(world: World, db: Session) -> None:
    with refused_by("uq_teacher_profiles_user_id"):
        insert(db, user=world.tom.id)
    with refused_by("ck_teacher_profiles_status_known"):
        insert(db, user=world.ann.id, status="away")
    with refused_by("fk_teacher_profiles_user_id"):
        insert(db, user=uuid4())
