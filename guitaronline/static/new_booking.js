// Choosing "new" opens what has to be filled in. Comfort only: the fold can be opened by hand.
(function () {
  "use strict";
  document.addEventListener("change", function (event) {
    if (event.target.type !== "radio" || event.target.value !== "new") { return; }
    var fold = event.target.closest("fieldset.card").querySelector("details");
    if (fold) { fold.open = true; }
  });
})();
