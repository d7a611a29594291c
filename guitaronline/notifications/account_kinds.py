"""What people are told about their account; nobody can switch it off. These rows stand in `kinds.KINDS` with the others.

How long a link lives is a setting, so `account_words.untrue` says when it is too late; the time here is only the most."""

from __future__ import annotations

from datetime import timedelta

from guitaronline.notifications.kind import Audience, Kind
from guitaronline.notifications.models import Channel

PERSON = (Audience.PERSON,)
MAIL = (Channel.EMAIL,)  # what signs in, and what confirms an address, goes to that address and nowhere else
DAY, MONTH = timedelta(days=1), timedelta(days=30)

ACCOUNT_KINDS = (
    Kind("account_reset", "person.password_forgotten", PERSON, MAIL, makes_sense_for=DAY, title="New password"),
    Kind(
        "account_verify", "person.verification_asked", PERSON, MAIL, makes_sense_for=MONTH, title="Confirm your address"
    ),
    Kind("account_invitation", "person.invited", PERSON, MAIL, makes_sense_for=MONTH, title="Invitation"),
    Kind(
        "account_password_changed", "person.password_changed", PERSON, makes_sense_for=MONTH, title="Password changed"
    ),
    Kind("account_new_device", "person.new_device", PERSON, makes_sense_for=MONTH, title="New device"),
    Kind(
        "address_changed", "person.email_changed", PERSON, MAIL, makes_sense_for=MONTH, title="Address changed"
    ),  # to the address before
    Kind(
        "account_new_address", "person.address_change_asked", PERSON, MAIL, makes_sense_for=MONTH, title="New address"
    ),  # to the new one, which is not theirs yet
    Kind(
        "account_address_undo", "person.address_changed", PERSON, MAIL, makes_sense_for=MONTH, title="Address changed"
    ),  # to the one before
    Kind(
        "account_address_undone",
        "person.address_change_undone",
        PERSON,
        MAIL,
        makes_sense_for=MONTH,
        title="Change of address undone",
    ),  # to the one that is given up again
    Kind(
        "account_totp_enrolled", "person.totp_enrolled", PERSON, makes_sense_for=MONTH, title="Authenticator app set up"
    ),
    Kind("account_totp_reset", "person.totp_reset", PERSON, makes_sense_for=MONTH, title="Authenticator app reset"),
    Kind(
        "account_recovery_renewed",
        "person.recovery_renewed",
        PERSON,
        makes_sense_for=MONTH,
        title="New recovery codes",
    ),
)
