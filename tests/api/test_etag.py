"""If-Match: nobody writes over what they have not seen."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api
from tests.api.test_permissions import Scene
from tests.world import World


def test_the_version_that_was_seen_may_be_changed_once(api: Api, world: World) -> None:
    seen = api.get("/identity/users/me", world.ann).headers["ETag"]
    done = api.patch("/identity/users/me", {"full_name": "One"}, world.ann, headers={"If-Match": seen})
    stale = api.patch("/identity/users/me", {"full_name": "Two"}, world.ann, headers={"If-Match": seen})
    fresh = api.patch("/identity/users/me", {"full_name": "Two"}, world.ann, headers={"If-Match": done.headers["ETag"]})

    assert (done.status, stale.status, fresh.status) == (200, 412, 200)
    assert stale.code == "stale_version"
    assert api.get("/identity/users/me", world.ann).headers["ETag"] == fresh.headers["ETag"]


@pytest.mark.parametrize("tag", ['"x"', "v1", 'W/"v1"', '"v99999"', '"v0"', '"v1", "v2"', '"v' + "9" * 50 + '"'])
def test_a_tag_that_is_not_this_version_matches_nothing(api: Api, world: World, tag: str) -> None:
    refused = api.patch("/identity/users/me", {"full_name": "One"}, world.ann, headers={"If-Match": tag})
    assert (refused.status, refused.code) == (412, "stale_version")


def test_a_star_matches_whatever_there_is(api: Api, world: World) -> None:
    assert api.patch("/identity/users/me", {"full_name": "One"}, world.ann, headers={"If-Match": "*"}).status == 200


def test_every_editable_record_is_guarded(api: Api, world: World) -> None:
    scene = Scene(world)
    stale = {"If-Match": '"v77"'}
    booking, other = scene.booking(), scene.slot()
    refused = [
        api.patch(f"/teachers/profiles/{scene.profile()}", {"bio": "x"}, world.tom, headers=stale),
        api.patch(f"/lessons/{scene.lesson()}", {"topic": "x"}, world.tom, headers=stale),
        api.post(f"/booking/{booking.id}/cancel", {"reason": "x"}, world.ann, headers=stale),
        api.post(f"/booking/{booking.id}/reschedule", {"new_slot_id": str(other.id)}, world.ann, headers=stale),
        api.patch(f"/billing/payments/{scene.payment()}/status", {"status": "failed"}, world.finn, headers=stale),
    ]
    assert [(each.status, each.code) for each in refused] == [(412, "stale_version")] * 5


def test_what_is_not_ones_own_stays_hidden_behind_a_stale_tag(api: Api, world: World) -> None:
    scene = Scene(world)
    stale = {"If-Match": '"v77"'}
    assert api.post(f"/booking/{scene.booking().id}/cancel", {"reason": "x"}, world.ben, headers=stale).status == 404
    assert api.patch(f"/lessons/{scene.lesson()}", {"topic": "x"}, world.tina, headers=stale).status == 404
