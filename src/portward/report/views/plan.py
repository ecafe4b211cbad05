"""The JSON document of ``portward plan``."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Struct

from portward.model.plan import Change, Cut, Effect, Plan, Refusal, Risk, WayIn
from portward.plan.words import commands, proof, undo
from portward.report.views import says


class StepView(Struct, frozen=True, kw_only=True):
    """One step of a change."""

    commands: Annotated[tuple[str, ...], says("What does the same, as a person would type it.")]
    undo: Annotated[str, says("How it is taken back.")]
    proof: Annotated[str, says("What must be true afterwards; apply reads it back.")]


class ChangeView(Struct, frozen=True, kw_only=True):
    """One thing that is put right."""

    subject: Annotated[str, says("What it is about, the same from run to run.")]
    title: Annotated[str, says("What is done, in a sentence.")]
    why: Annotated[str, says("Why.")]
    risk: Annotated[Risk, says("The worst that it does to somebody on its way.")]
    steps: Annotated[tuple[StepView, ...], says("How, in order.")]


class PlanView(Struct, frozen=True, kw_only=True):
    """What would change on a machine."""

    schema: Annotated[Literal["portward-plan/1"], says("Name and version of this document.")]
    portward: Annotated[str, says("Version of the portward that made it.")]
    made: Annotated[datetime, says("When the machine was surveyed.")]
    hostname: Annotated[str, says("Name of the machine.")]
    effects: Annotated[tuple[Effect, ...], says("What changes for the world.")]
    changes: Annotated[tuple[ChangeView, ...], says("What is done, in order.")]
    cuts: Annotated[
        tuple[Cut, ...] | None, says("Who is connected and would be cut off; null: not known.")
    ]
    way_in: Annotated[tuple[WayIn, ...], says("The administrator's ways in.")]
    refusals: Annotated[tuple[Refusal, ...], says("Why it cannot be applied as it is.")]
    notes: Annotated[tuple[str, ...], says("What is left alone, and why.")]


def view(plan: Plan) -> PlanView:
    """Write a plan for a program; portward's own file of it comes from --out."""
    return PlanView(
        schema="portward-plan/1",
        portward=plan.portward,
        made=plan.made,
        hostname=plan.hostname,
        effects=plan.effects,
        changes=tuple(map(_change, plan.changes)),
        cuts=plan.cuts,
        way_in=plan.way_in,
        refusals=plan.refusals,
        notes=plan.notes,
    )


def _change(change: Change) -> ChangeView:
    return ChangeView(
        subject=change.subject,
        title=change.title,
        why=change.why,
        risk=change.risk,
        steps=tuple(
            StepView(commands=commands(step), undo=undo(step), proof=proof(step))
            for step in change.steps
        ),
    )
