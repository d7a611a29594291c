"""`flask schedule …`: the teachers' slots from the command line. A door: the same commands, as the system."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from guitaronline import clock
from guitaronline.booking import horizon, moved, rolling
from guitaronline.db import session, technical_transaction

schedule = AppGroup("schedule", help="Slots from weekly hours, and what a change of time zone rules does to lessons.")
HOUR = 3600.0


@schedule.command("extend")
@click.option(
    "--all", "everybody", is_flag=True, help="Look at every teacher as a whole, not only at those who are due."
)
def extend(*, everybody: bool) -> None:
    """Turn weekly hours into slots up to the horizon, as the job does. Exit code 1 when some teacher could not be done."""
    if everybody:
        with technical_transaction() as current:
            horizon.look_again(current, clock.read(current))
    done = rolling.extend_due(seconds=HOUR)
    click.echo(
        f"{done.teachers} teachers looked at, {done.changed} changed: {done.made} slots made, {done.removed} taken away"
    )
    if done.failed:
        raise click.ClickException(f"{done.failed} teachers could not be done; the log says why")


@schedule.command("moved")
def moved_lessons() -> None:
    """List lessons ahead that the present zone database puts at another time. Exit code 1 when there are any."""
    found = 0
    for each in moved.moved_bookings(session(), clock.read(session())):
        found += 1
        then = f"{each.by_the_clock:%Y-%m-%d %H:%M} UTC" if each.by_the_clock else "never"
        click.echo(
            f"{each.reference}  {each.slot_reference}  promised {each.wall_start:%Y-%m-%d %H:%M} {each.wall_zone}"
            f"  stored {each.start_at:%Y-%m-%d %H:%M} UTC  by the clock {then}"
        )
    if found:
        raise click.ClickException(f"{found} lessons are not at the hour that was promised")
    click.echo("every lesson ahead is at the hour that was promised")
