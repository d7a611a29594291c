// Comfort only: every page works without it.
(function () {
  "use strict";
  var root = document.documentElement;

  function on(selector, event, act) {
    document.querySelectorAll(selector).forEach(function (node) { node.addEventListener(event, act); });
  }

  on("[data-toggle-theme]", "click", function () {
    var next = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.bsTheme = next;
    try { localStorage.setItem("theme", next); } catch (error) { /* private window: for this page only */ }
  });

  on("[data-toggle-menu]", "click", function (event) {
    var open = document.getElementById("navigation").classList.toggle("open");
    event.currentTarget.setAttribute("aria-expanded", String(open));
    if (open) { document.querySelector("#navigation a.item").focus(); }
  });
  document.addEventListener("keydown", function (event) {
    var side = document.getElementById("navigation");
    if (event.key === "Escape" && side && side.classList.contains("open")) {
      var button = document.querySelector("[data-toggle-menu]");
      button.click();
      button.focus();
    }
  });

  // A second click while the first is on its way; the key in the form makes it harmless anyway.
  on("form[method=post]", "submit", function (event) {
    var form = event.currentTarget;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(function () { delete form.dataset.sent; }, 5000);
  });

  on("select[data-look]", "change", function (event) {
    var look = event.currentTarget.form.querySelector("button[name=look]");
    if (look) { look.click(); }
  });
})();
