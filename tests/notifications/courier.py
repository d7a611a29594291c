"""A worker of messages as a process of its own: sends what is due once, and ends.

`python -m tests.notifications.courier lease=3 money=1 patience=0`: a shorter lease; messages are about money; the database is
not waited for when the channel has said yes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta

from guitaronline.notifications import delivery
from guitaronline.notifications.kinds import KINDS
from jobs.runtime import context
from tests.notifications.letters import KIND


def main(asked: dict[str, str]) -> None:
    if "money" in asked:
        KINDS[KIND] = replace(KINDS[KIND], is_money=True)
    if "patience" in asked:
        delivery.RECORD_SECONDS = float(asked["patience"])
    lease = timedelta(seconds=float(asked.get("lease", "60")))
    with context():
        delivery.deliver_due(lease=lease)


if __name__ == "__main__":
    main(dict(each.split("=") for each in sys.argv[1:]))
