"""The pages on which people are merged, told apart, and taken apart again."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM, Role
from guitaronline.identity.service import edit_person, write_note
from guitaronline.office.merge_models import DuplicatePair, PersonMerge
from guitaronline.office.merging.finding import find_duplicates
from tests.admin.browser import Browser, links, signed_in, words
from tests.world import World


@pytest.fixture
def ada(app: Flask, world: World) -> Browser:
    return signed_in(app, world.ada)


def test_both_are_seen_side_by_side_before_anything_happens(ada: Browser, world: World) -> None:
    edit_person(SYSTEM, world.ben.id, changes={"phone": "+49 30 1234567"})
    assert world.package(world.ben)

    page = ada.get(f"/admin/people/{world.ann.id}/merge?other_id={world.ben.id}&find={world.ben.reference}").text
    blind = ada.post(f"/admin/people/{world.ann.id}/merge", {"other_id": str(world.ben.id), "reason": "one person"})

    seen = words(page)
    assert "packages with their lessons: 1" in seen
    assert "ann@people.example (stays)" in seen
    assert "+49 30 1234567 (from the other)" in seen
    assert (blind.status_code, "Look at both first" in words(blind.text)) == (422, True)


def test_two_are_merged_and_taken_apart_on_the_pages(ada: Browser, world: World, db: Session) -> None:
    assert world.package(world.ben)
    write_note(SYSTEM, record_type="users", record_id=world.ben.id, body="I wrote this about Ben")
    url = f"/admin/people/{world.ann.id}/merge?other_id={world.ben.id}&find={world.ben.reference}"
    opened = ada.get(url).text
    seen = {"seen": f"{world.ben.id}/{world.again(world.ben).version}"}

    answer = ada.post(
        f"/admin/people/{world.ann.id}/merge",
        {"other_id": str(world.ben.id), "use_email": "goes", "reason": "one person", **seen},
        opened=opened,
    )
    winner = words(ada.get(f"/admin/people/details/?id={world.ann.id}", follow_redirects=True).text)
    loser = words(ada.get(f"/admin/people/details/?id={world.ben.id}", follow_redirects=True).text)
    merge = db.scalars(select(PersonMerge)).one()
    undo = ada.get(f"/admin/merges/{merge.id}/undo").text
    undone = ada.post(f"/admin/merges/{merge.id}/undo", {"reason": "two people"}, opened=undo)

    assert (answer.status_code, undone.status_code) == (303, 303)
    assert "Merged into this person" in winner
    assert "this record is only a pointer" in loser
    assert "wrote this about Ben" in winner
    assert "packages with their lessons: 1" in words(undo)
    assert world.again(world.ben).is_active


def test_what_stands_in_the_way_is_told_before_the_click(ada: Browser, world: World) -> None:
    world.package(), world.package(world.ben)
    world.booking(world.slot(), world.ann)
    world.booking(world.slot(world.tina), world.ben)

    page = words(ada.get(f"/admin/people/{world.ann.id}/merge?other_id={world.ben.id}").text)

    assert "one person cannot take both" in page


def test_pairs_are_found_led_to_the_merge_and_set_aside(ada: Browser, world: World, db: Session) -> None:
    first = world.person("Mia Berg", Role.STUDENT, email="a@people.example", phone="1234567")
    second = world.person("Mia Berg", Role.STUDENT, email="b@people.example", phone="123 45 67")
    find_duplicates(SYSTEM)
    pair = db.scalars(select(DuplicatePair)).one()

    desk = ada.get("/admin/duplicates/").text
    answer = ada.post(f"/admin/duplicates/{pair.id}/dismiss", {"reason": "twins"})

    assert any(each.startswith(f"/admin/people/{first.id}/merge") and str(second.id) in each for each in links(desk))
    assert answer.status_code == 303
    assert "Nobody seems to be here twice" in words(ada.get("/admin/duplicates/").text)
