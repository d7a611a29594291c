// Keyboard shortcuts; the help sheet lists them, and its links say where two keys lead. Never while somebody types.
(function () {
  "use strict";
  var sheet = document.getElementById("shortcuts");
  var first = "";
  var since = 0;
  var PATIENCE = 1500;  // milliseconds between the two keys

  function isTyping(node) {
    return node.isContentEditable || /^(TEXTAREA|SELECT)$/.test(node.tagName) ||
      (node.tagName === "INPUT" && !/^(checkbox|radio|button|submit|reset)$/.test(node.type));
  }

  function search() {
    var field = document.getElementById("global-search");
    if (field) { field.focus(); }
  }

  function openSheet() {
    document.querySelectorAll("details.account[open], details.more-actions[open]").forEach(function (menu) { menu.open = false; });
    sheet.showModal();
  }

  // The row's first link has the focus, so Enter opens it.
  function walk(step) {
    var rows = Array.from(document.querySelectorAll("main table tbody tr")).filter(function (row) { return row.querySelector("a[href]") && row.offsetParent; });
    if (!rows.length) { return; }
    var here = rows.findIndex(function (row) { return row.contains(document.activeElement); });
    var next = rows[Math.max(0, Math.min(rows.length - 1, here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step))];
    next.querySelector("a[href]").focus();
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("focusin", function (event) {
    document.querySelectorAll("tr.is-here").forEach(function (row) { row.classList.remove("is-here"); });
    var row = event.target.closest("main table tbody tr");
    if (row && event.target.matches("a:focus-visible")) { row.classList.add("is-here"); }
  });

  document.addEventListener("keydown", function (event) {
    if (event.isComposing || document.querySelector("dialog[open]")) { return; }
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      search();
      event.preventDefault();
      return;
    }
    if (event.key === "Escape") {
      document.querySelectorAll("details.account[open], details.row-actions[open], details.more-actions[open]").forEach(function (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) { return; }
    var both = Date.now() - since < PATIENCE ? first + " " + event.key : "";
    var link = both && sheet.querySelector('[data-keys="' + CSS.escape(both) + '"]');
    first = "";
    if (link) { location.assign(link.href); }
    else if (event.key === "/") { search(); }
    else if (event.key === "?") { openSheet(); }
    else if (event.key === "j") { walk(1); }
    else if (event.key === "k") { walk(-1); }
    else if (sheet.querySelector('[data-keys^="' + CSS.escape(event.key) + ' "]')) { first = event.key; since = Date.now(); return; }
    else { return; }
    event.preventDefault();
  });

  document.querySelectorAll("[data-open=shortcuts]").forEach(function (button) { button.addEventListener("click", openSheet); });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.account[open], details.more-actions[open]").forEach(function (menu) { if (!menu.contains(event.target)) { menu.open = false; } });
    if (event.target === sheet) { sheet.close(); }  // beside it
  });
})();
