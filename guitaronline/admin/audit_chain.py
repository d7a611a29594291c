"""The sealed history: how far it is sealed, its head, and what the last proof of it saw."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import Actor
from guitaronline.admin import show
from guitaronline.admin.asked import AskPage, by, names_of, progress, spent
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.command_page import Consequences, button_of, commands
from guitaronline.admin.record_page import facts
from guitaronline.audit import integrity, verification
from guitaronline.audit.models import AuditVerification, RunKind
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.office import proofs

RUNS_SHOWN = 20
TAIL_COUNTED = 1000  # so many unsealed actions are as bad as more


class AuditChain(ConsolePage):
    path = "audit-chain"
    title = "Audit chain"
    permission = Permission.READ_AUDIT

    def page(self) -> Any:
        runs = verification.newest(session(), limit=RUNS_SHOWN)
        checkpoint = integrity.newest_checkpoint(session())
        tail = integrity.unsealed_lately(session(), checkpoint, limit=TAIL_COUNTED + 1)
        return self.render(
            "admin/audit_chain.html",
            last=runs[0] if runs else None,
            verdict=verdict(runs[0]) if runs else None,
            facts=_facts(runs[0] if runs else None, checkpoint, tail),
            head=checkpoint.head.hex() if checkpoint else "",
            checkpoint=str(checkpoint) if checkpoint else "",
            progress=progress(proofs.open_run(session(), RunKind.CHAIN), runs[0].seconds if runs else None),
            runs=_table(runs),
            buttons=[button_of(commands.named(VerifyNow))],
        )


def verdict(run: AuditVerification) -> Any:
    if not run.broken:
        return show.chip("holds", "nothing was edited, removed, put in or reordered")
    return show.chip("failed", "the history is not what was sealed")


def _facts(last: AuditVerification | None, checkpoint: integrity.Checkpoint | None, tail: int) -> list[show.Fact]:
    counted = f"{tail:,}" if tail <= TAIL_COUNTED else f"more than {TAIL_COUNTED:,}"
    return facts(
        ("Last proof", show.when(last.at) if last else "never yet"),
        (
            "It read",
            f"{last.sealed:,} actions with {last.changes:,} changes in {spent(last.seconds)}" if last else None,
        ),
        ("Proved up to", show.when(last.sealed_until) if last else None),
        ("Sealed up to", show.when(checkpoint.at) if checkpoint else "nothing yet"),
        ("Links", f"{checkpoint.sequence:,}" if checkpoint else None),
        ("Not sealed yet", f"{counted} actions; the sealer comes every half minute"),
    )


def _table(runs: list[AuditVerification]) -> list[list[Any]]:
    names = names_of(run.asked_by for run in runs)
    return [
        [show.when(run.at), verdict(run), by(run.asked_by, names), f"{run.sealed:,}", spent(run.seconds)]
        for run in runs
    ]


class VerifyNow(AskPage):
    path = "audit-chain/verify"
    title = "Verify now"
    permission = Permission.READ_AUDIT
    parent = "desk_audit-chain.index"

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Read", "The whole sealed history, by the worker; a large one takes minutes. Nothing is changed."),
                ("Meanwhile", "That worker does nothing else. Asking twice makes one run."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        proofs.ask_for_proof(actor)


commands.add(VerifyNow)
