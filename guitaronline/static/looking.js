// Comfort only: a page that waits for a job looks again by itself, and a hash is copied by a button.
(function () {
  "use strict";
  if (document.querySelector("[data-look-again]")) {
    setTimeout(function () { location.reload(); }, 3000);
  }
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value).then(function () {
        button.textContent = "Copied";
      });
    });
  });
})();
