// Comfort only: lists work without it.
(function () {
  "use strict";

  // A heading stays at the top where the table needs no scrolling of its own.
  var tables = document.querySelectorAll("[data-fits]");
  function fit() {
    tables.forEach(function (wrap) {
      wrap.classList.remove("fits");
      var fits = wrap.scrollWidth <= wrap.clientWidth;
      wrap.classList.toggle("fits", fits);
      if (fits) { wrap.removeAttribute("tabindex"); } else { wrap.setAttribute("tabindex", "0"); }
    });
  }
  fit();
  addEventListener("resize", fit);

  // On a phone the filters wait behind one line, unless one of them is in use.
  if (matchMedia("(max-width: 767.98px)").matches) {
    document.querySelectorAll(".filters:not([data-active])").forEach(function (box) { box.open = false; });
  }

  // Short addresses: what is empty is not sent.
  document.querySelectorAll("form[data-tidy]").forEach(function (form) {
    form.addEventListener("submit", function () {
      form.querySelectorAll("input[name], select[name]").forEach(function (field) {
        if (!field.value) { field.disabled = true; }
      });
    });
    addEventListener("pageshow", function () {
      form.querySelectorAll(":disabled").forEach(function (field) { field.disabled = false; });
    });
  });

  // One box open at a time; a click elsewhere or Escape closes it.
  var boxes = Array.prototype.slice.call(document.querySelectorAll("details.drop, details.row-actions"));
  function close(except) {
    boxes.forEach(function (box) { if (box !== except && box.open) { box.open = false; } });
  }
  document.addEventListener("click", function (event) { close(event.target.closest("details.drop, details.row-actions")); });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") { return; }
    var open = boxes.find(function (box) { return box.open; });
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
})();
