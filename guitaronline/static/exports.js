// Keeps the bars of files in the making current; without it the page reloads itself.
(function () {
  "use strict";
  var EVERY_MS = 2000;

  function look(node) {
    fetch(node.dataset.progress, { headers: { Accept: "application/json" }, credentials: "same-origin" })
      .then(function (answer) { if (!answer.ok) { throw new Error(String(answer.status)); } return answer.json(); })
      .then(function (now) {
        if (now.is_over || now.status !== node.dataset.status) { window.location.reload(); return; }
        node.querySelector("progress").value = now.percent;
        node.querySelector("[data-words]").textContent = now.words;
        setTimeout(look, EVERY_MS, node);
      })
      .catch(function () { setTimeout(look, 5 * EVERY_MS, node); });
  }

  document.querySelectorAll("[data-progress]").forEach(function (node) { setTimeout(look, EVERY_MS, node); });
})();
