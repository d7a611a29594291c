"""What a run saw, as a page."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.faults.canaries import Canary
from bench.faults.kills import Kills, in_words
from bench.faults.walks import Walks
from bench.faults.weather import Weather


@dataclass(frozen=True)
class KillFigures:
    counts: dict[str, Counter[str]]
    recoveries: dict[str, list[float]]
    acknowledged: Counter[str]
    sent_again: int
    replayed: int
    unresolved: int
    refusals: dict[str, int]
    looks: int
    quiet_after: float
    findings: list[str]


@dataclass
class Report:
    seed: int
    began: float
    kills: KillFigures | None = None
    weather: list[Weather] = field(default_factory=list)
    disk: Weather | str | None = None
    walks: Walks | None = None
    canaries: list[Canary] = field(default_factory=list)

    def keep_kills(self, kills: Kills) -> None:
        acks = kills.scene.acks()
        self.kills = KillFigures(
            counts=kills.counts(),
            recoveries=kills.recoveries(),
            acknowledged=Counter(each["op"] for each in acks.yes),
            sent_again=sum(each["tries"] > 1 for each in acks.yes),
            replayed=sum(each["replayed"] for each in acks.yes),
            unresolved=len(acks.unresolved),
            refusals=acks.refusals,
            looks=kills.looks,
            quiet_after=kills.quiet_after,
            findings=list(kills.scene.findings),
        )

    @property
    def findings(self) -> list[str]:
        found = list(self.kills.findings) if self.kills else []
        over = [*self.weather, *([self.disk] if isinstance(self.disk, Weather) else [])]
        found += [f"{each.name}: {what}" for each in over for what in each.findings]
        found += self.walks.findings if self.walks else []
        return found + [f"unseen without: {each.guard}" for each in self.canaries if not each.is_red]

    @property
    def is_red(self) -> bool:
        return bool(self.findings)


def written(found: Report) -> str:
    began = datetime.fromtimestamp(found.began, UTC)
    minutes = (time.time() - found.began) / 60
    parts = [
        "# Under faults\n",
        (
            f"Run of {began:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes, seed {found.seed}:"
            f" **{'RED' if found.is_red else 'green'}**, {len(found.findings)} findings.\n"
        ),
        *(f"- {each}" for each in found.findings[:30]),
        *(_kills(found.kills) if found.kills else ()),
        *_weather(found.weather, found.disk),
        *(_walks(found.walks) if found.walks else ()),
        *(_canaries(found.canaries) if found.canaries else ()),
    ]
    return "\n".join(parts) + "\n"


def _kills(kills: KillFigures) -> list[str]:
    acked = ", ".join(f"{number} {op}" for op, number in kills.acknowledged.most_common())
    lines = [
        "\n## SIGKILL under load\n",
        "| killed | times | where | works again after (median) |",
        "|---|---|---|---|",
    ]
    for victim, counts in kills.counts.items():
        where = ", ".join(f"{number} {name}" for name, number in counts.most_common())
        lines.append(f"| {victim} | {sum(counts.values())} | {where} | {in_words(kills.recoveries[victim])} |")
    refused = ", ".join(
        f"{number} × {what}" for what, number in sorted(kills.refusals.items(), key=lambda each: -each[1])
    )
    return [
        *lines,
        (
            f"\nAcknowledged: {sum(kills.acknowledged.values())} writes ({acked}). {kills.sent_again} of them were sent more than once,"
            f" {kills.replayed} got the answer that was kept; {kills.unresolved} calls never had an answer."
            f" Lost: {sum('missing' in each for each in kills.findings)}. Done without anybody being told: {sum('nobody was told' in each for each in kills.findings)}."
        ),
        (
            f"\nEverything was looked at {kills.looks} times; all was told {kills.quiet_after:.0f} s after the last kill."
            f" What else clients heard: {refused}."
        ),
    ]


def _weather(weather: list[Weather], disk: Weather | str | None) -> list[str]:
    over = [*weather, *([disk] if isinstance(disk, Weather) else [])]
    if not over and disk is None:
        return []
    lines = [
        "\n## What else went wrong\n",
        "| | how much of it | acknowledged before, meanwhile, after | next one after its end | findings |",
        "|---|---|---|---|---|",
    ]
    for each in over:
        note = f"; {each.note}" if each.note else ""
        lines.append(
            f"| {each.name} | {each.how_often}{note} | {each.before}, {each.during}, {each.after} | {each.back_after:.2f} s | {len(each.findings)} |"
        )
    return [*lines, *([f"\nDisk full: {disk}."] if isinstance(disk, str) else [])]


def _walks(walks: Walks) -> list[str]:
    done = ", ".join(f"{number} {name}" for name, number in walks.done.most_common())
    refused = ", ".join(f"{number} {name}" for name, number in walks.refused.most_common())
    return [
        "\n## Random walk against the model\n",
        (
            f"{walks.operations} operations in {walks.seconds:.0f} s ({walks.operations / max(walks.seconds, 1):.0f}/s). Done: {done}."
            f" Refused by both, for the same reasons: {refused}."
        ),
    ]


def _canaries(canaries: list[Canary]) -> list[str]:
    lines = ["\n## Canaries\n", "| guard | instead | goes red | by |", "|---|---|---|---|"]
    said = [each.said.replace("|", "/")[:160] for each in canaries]
    return [
        *lines,
        *(
            f"| {c.guard} | {c.removed} | {'yes' if c.is_red else '**no**'} | {s} |"
            for c, s in zip(canaries, said, strict=True)
        ),
    ]
