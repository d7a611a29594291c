"""`make faults`: the real product under load, and everything that can go wrong with it; then what must hold is looked at.

FAULTS_KILLS (20) of each of web, worker, scheduler and PostgreSQL · FAULTS_WALK (20000) operations of the random walk ·
FAULTS_ONLY names some of kills, weather, disk, walk, canaries · CANARIES=1 takes each guard away · FAULTS_SEED repeats a run ·
FAULTS_PORT, FAULTS_DIR: where · FAULTS_REPORT: the file of the report. FULL=1 is what a release is proved with: 200 kills and
a million operations. Ends with 1 when anything was lost, a guard could be taken away unseen, or an invariant does not hold.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

from bench.faults import canaries, load, report, walks, weather
from bench.faults import stack as stacks
from bench.faults.kills import Kills
from bench.faults.load import scene
from bench.faults.report import Report
from guitaronline.local import ending
from guitaronline.local.errors import Stopped

FULL = os.environ.get("FULL") == "1"
KILLS = int(os.environ.get("FAULTS_KILLS", "200" if FULL else "20"))
WALK = int(os.environ.get("FAULTS_WALK", "1000000" if FULL else "20000"))
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
PORT = int(os.environ.get("FAULTS_PORT", "18400"))
HANDS = int(os.environ.get("FAULTS_HANDS", str(os.cpu_count() or 1)))
DEFAULT = "kills weather disk walk" if os.environ.get("CANARIES") != "1" else "canaries"
ONLY = os.environ.get("FAULTS_ONLY", DEFAULT).split()


def main() -> int:
    ending.listen()
    kept = os.environ.get("FAULTS_DIR")
    found = Report(SEED, time.time())
    with tempfile.TemporaryDirectory(prefix="guitaronline-faults-") as made:
        place = Path(kept or made)
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o711)
        print(f"seed {SEED}; logs in {place}", flush=True)
        school = place / "template"
        if {"kills", "weather", "disk", "canaries"} & set(ONLY) and not (school / load.SCHOOL).exists():
            load.template(school, PORT)
        if "kills" in ONLY:
            kill(found, place, school)
        if "weather" in ONLY:
            change_weather(found, place, school)
        if "disk" in ONLY:
            print("disk full", flush=True)
            found.disk = weather.disk_full(place / "small", PORT, SEED, school)
        if "walk" in ONLY:
            print(f"random walk: {WALK} operations", flush=True)
            found.walks = walks.run(WALK, SEED, hands=HANDS)
        if "canaries" in ONLY:
            print("canaries", flush=True)
            found.canaries = canaries.run(canaries.Where(place / "canary", PORT, school), SEED)
    text = report.written(found)
    if target := os.environ.get("FAULTS_REPORT"):
        Path(target).write_text(text)
    print(text)
    return 1 if found.is_red else 0


def kill(found: Report, place: Path, school: Path) -> None:
    print(f"kills: {KILLS} of each", flush=True)
    with stacks.running(place / "kills", PORT, of=school) as made:
        kills = Kills(scene(made, seed=SEED), SEED)
        kills.run(KILLS)
        found.keep_kills(kills)


def change_weather(found: Report, place: Path, school: Path) -> None:
    with stacks.running(place / "weather", PORT, of=school, options=weather.OPTIONS) as made:
        found_school = scene(made, seed=SEED)
        for name, fault in weather.FAULTS.items():
            found.weather.append(weather.come_over(found_school, name, fault))
            print(found.weather[-1], flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped:
        sys.exit(130)
