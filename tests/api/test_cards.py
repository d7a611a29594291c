"""A card number in a text of a request is refused, and its sentence does not repeat it."""

from __future__ import annotations

from tests.api.conftest import Api
from tests.world import World


def test_a_card_number_in_a_reason_is_refused(api: Api, booked: World) -> None:
    booking = booked.booking()

    answer = api.post(f"/booking/{booking.id}/cancel", {"reason": "charge 4111-1111-1111-1111 again"}, booked.ann)

    assert answer.status == 422
    assert "card number" in answer.text
    assert "4111" not in answer.text
