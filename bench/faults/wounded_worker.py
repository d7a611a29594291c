"""The worker as it is, with named points at which it can be made to die."""

from __future__ import annotations

import os
import sys

from bench.faults import points, sabotages
from jobs import outbox, runtime, worker

if __name__ == "__main__":
    points.watch("worker")
    sabotages.begin(os.environ.get("FAULTS_SABOTAGE_WORKER"))
    points.around(outbox, "claim", after="worker: events claimed")
    points.around(outbox, "finish", before="worker: told, not closed", after="worker: event closed")
    points.around(runtime, "_note", after="worker: tick begun")
    points.around(runtime, "_run", after="worker: tick ended")
    sys.exit(worker.main(sys.argv[1:]))
