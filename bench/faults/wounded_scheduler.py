"""The scheduler as it is, with named points at which it can be made to die."""

from __future__ import annotations

from bench.faults import points
from jobs import bell, scheduler

if __name__ == "__main__":
    points.around(scheduler.Scheduler, "open_ticks", before="scheduler: before ticks", after="scheduler: ticks written")
    points.around(bell, "ring", after="scheduler: worker rung")
    scheduler.main()
