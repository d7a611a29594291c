// Comfort only: choosing and watching work without it.
(function () {
  "use strict";

  function each(selector, act) { document.querySelectorAll(selector).forEach(act); }

  function lists() {
    var form = document.getElementById("bulk");
    if (!form) { return; }
    var words = form.querySelector("[data-chosen-words]");
    var all = form.querySelector("input[name=all]");
    var page = document.querySelector("[data-choose-page]");
    var rows = Array.prototype.slice.call(document.querySelectorAll("input[name=id][form=bulk]"));

    function count() {
      var chosen = rows.filter(function (row) { return row.checked; }).length;
      words.textContent = all.checked ? "All that match:" : chosen ? chosen + " chosen:" : "Choose rows below, then:";
      page.checked = chosen === rows.length;
      page.indeterminate = chosen > 0 && chosen < rows.length;
    }
    page.hidden = false;
    page.addEventListener("change", function () {
      rows.forEach(function (row) { row.checked = page.checked; });
      count();
    });
    rows.concat([all]).forEach(function (row) { row.addEventListener("change", count); });
    count();
  }

  function watch(bar) {
    function ask() {
      fetch(bar.dataset.progressUrl, { headers: { Accept: "application/json" } })
        .then(function (answer) { if (!answer.ok) { throw new Error(String(answer.status)); } return answer.json(); })
        .then(function (progress) {
          bar.value = progress.ready;
          document.querySelector("[data-progress-words]").textContent = progress.words;
          if (progress.is_open) { setTimeout(ask, 1000); } else { location.reload(); }
        })
        .catch(function () { setTimeout(ask, 5000); });
    }
    setTimeout(ask, 1000);
  }

  lists();
  each("[data-progress-url^='/']", watch);
})();
