"""axe-core looks at a page as people do who cannot see it well, or at all."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
RUN = """async ([impacts, only]) => {
    const options = {resultTypes: ["violations"], preload: false, ...(only ? {runOnly: only} : {})};
    const {violations} = await axe.run(document, options);
    return violations.filter(each => impacts.includes(each.impact)).map(each =>
        `${each.impact}: ${each.help} (${each.id}) at `
        + each.nodes.slice(0, 3).map(node => node.target.join(" ") + " " + node.any.map(one => one.message).join("; ")).join(" | ")
    );
}"""
GRAVE = ["serious", "critical"]
COLORS = ["color-contrast", "link-in-text-block"]  # all that another theme can change


def grave_problems(page: Page, *, only: list[str] | None = None) -> list[str]:
    """What is serious or critical on the page as it stands, in axe's words; by all rules, or by those named."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SCRIPT)  # by the debugger, which the page's policy does not concern
    found: list[str] = page.evaluate(RUN, [GRAVE, only])
    return found
