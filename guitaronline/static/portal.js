// Comfort only: every page works without it.
(function () {
  "use strict";
  var menu = document.querySelector(".tabs .more details");
  document.addEventListener("click", function (event) { if (menu.open && !menu.contains(event.target)) { menu.open = false; } });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && menu.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  // The weekly hours: rows without a round trip; what was looked at and then changed is looked at again before it is saved.
  var form = document.querySelector("form[data-hours]");
  if (!form) { return; }
  var rows = form.querySelector("[data-rows]");

  function all() { return Array.from(rows.querySelectorAll("[data-row]")); }

  function changed() {
    var save = form.querySelector("[data-save]");
    if (save) { save.hidden = true; form.querySelector("[data-changed]").hidden = false; }
  }

  function number(row) { return Number(/^windows-(\d+)-/.exec(row.querySelector("select").name)[1]); }

  // Like the last one, on the next day.
  function added() {
    var last = all().pop();
    var next = 1 + Math.max.apply(null, all().map(number));
    var row = last.cloneNode(true);
    var old = "windows-" + number(last);
    row.querySelectorAll(".invalid-feedback").forEach(function (each) { each.remove(); });
    row.querySelectorAll(".is-invalid").forEach(function (each) { each.classList.remove("is-invalid"); });
    row.querySelectorAll("[id], [name], [for], [value]").forEach(function (each) {
      ["id", "name", "for", "value"].forEach(function (what) {
        var words = each.getAttribute(what);
        if (words && words.indexOf(old) !== -1) { each.setAttribute(what, words.replace(old, "windows-" + next)); }
      });
      each.removeAttribute("aria-invalid");
      each.removeAttribute("aria-describedby");
    });
    Array.from(last.querySelectorAll("input, select")).forEach(function (each, place) {
      row.querySelectorAll("input, select")[place].value = each.value;
    });
    var day = row.querySelector("select");
    day.value = String((Number(day.value) + 1) % 7);
    rows.append(row);
    numbered();
    day.focus();
  }

  function numbered() {
    all().forEach(function (row, place) {
      row.querySelector("legend").textContent = "Window " + (place + 1);
      row.querySelector("[data-remove]").setAttribute("aria-label", "Remove window " + (place + 1));
    });
  }

  form.addEventListener("click", function (event) {
    var add = event.target.closest("[data-add]");
    var remove = event.target.closest("[data-remove]");
    if (add && all().length && all().length < Number(form.dataset.most)) { event.preventDefault(); added(); changed(); }
    if (remove && all().length > 1) { event.preventDefault(); remove.closest("[data-row]").remove(); numbered(); changed(); form.querySelector("[data-add]").focus(); }
  });
  form.addEventListener("input", changed);
})();
