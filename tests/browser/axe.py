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
# Two rows are of one form when they differ in nothing but words, addresses and numbers: axe finds the same in both.
THIN_OUT = """most => {
    const told = ["class", "role", "type"];
    const attribute = one => one.name + (told.includes(one.name) ? "=" + one.value : one.value.trim() ? "" : "=nothing");
    const form = node => node.nodeType === Node.TEXT_NODE ? (node.data.trim() ? "words" : "")
        : node.nodeType !== Node.ELEMENT_NODE ? ""
        : `<${node.localName} ${[...node.attributes].map(attribute).sort().join(" ")}>${[...node.childNodes].map(form).join("")}</>`;
    for (const list of document.querySelectorAll("tbody, ul, ol, .pick")) {
        const seen = {};
        for (const row of [...list.children]) {
            const like = form(row);
            seen[like] = (seen[like] || 0) + 1;
            if (seen[like] > most) { row.remove(); }
        }
    }
}"""
OF_A_FORM = 2  # so that two rows with one id are still seen
GRAVE = ["serious", "critical"]
COLORS = ["color-contrast", "link-in-text-block"]  # all that another theme can change


def grave_problems(page: Page, *, only: list[str] | None = None) -> list[str]:
    """What is serious or critical on the page as it stands, in axe's words; by all rules, or by those named."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SCRIPT)  # by the debugger, which the page's policy does not concern
    found: list[str] = page.evaluate(RUN, [GRAVE, only])
    return found


def thin_out(page: Page) -> None:
    """Of rows that are alike the first few are left: most of axe's time goes into looking at fifty of a form."""
    page.evaluate(THIN_OUT, OF_A_FORM)
