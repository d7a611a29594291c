// Warns before the session ends, and keeps what is typed into the forms of commands until it is sent. Comfort only.
(function () {
  "use strict";
  var dialog = document.getElementById("session-ends");
  var who = dialog.dataset.who;
  var WARN = 120;  // seconds before the end; a short session is warned at half
  var ends = Date.now() + 1000 * Number(dialog.dataset.seconds);
  var warn = 1000 * Math.min(WARN, Number(dialog.dataset.seconds) / 2);

  function remembered(store, name) {
    try { return store.getItem(name); } catch (error) { return null; }  // a private window keeps nothing
  }

  function remember(store, name, value) {
    try { if (value === null) { store.removeItem(name); } else { store.setItem(name, value); } } catch (error) { /* the same */ }
  }

  // The session

  function extend(until) {
    ends = until;
    remember(localStorage, "session-ends", who + " " + until);
    if (dialog.open) { dialog.close(); }
  }

  // Another tab may have used the session since.
  function look() {
    var other = (remembered(localStorage, "session-ends") || "").split(" ");
    if (other[0] === who && Number(other[1]) > ends) { ends = Number(other[1]); if (dialog.open) { dialog.close(); } }
    var left = ends - Date.now();
    if (left > warn) { return; }
    document.getElementById("session-stay").hidden = left <= 0;
    document.getElementById("session-again").hidden = left > 0;
    document.getElementById("session-words").textContent = left > 0
      ? "Nothing was done here for a while. You will be signed out in " + (left > 90000 ? Math.ceil(left / 60000) + " minutes." : "about a minute.")
      : "You are signed out. What you typed into a form comes back after you sign in again.";
    if (!dialog.open) { dialog.showModal(); }
  }

  document.getElementById("session-stay").addEventListener("click", function () {
    fetch(dialog.dataset.stay, { method: "POST", headers: { "X-CSRFToken": dialog.dataset.token } })
      .then(function (answer) { return answer.ok ? answer.json() : { seconds: 0 }; })
      .then(function (found) { if (found.seconds) { extend(Date.now() + 1000 * found.seconds); } else { ends = 0; look(); } })
      .catch(function () { document.getElementById("session-words").textContent = "The server does not answer. Try again."; });
  });
  extend(ends);
  setInterval(look, 5000);

  // Drafts

  var form = document.querySelector("main form[method=post]");
  var name = "draft:" + who + ":" + location.pathname + about();
  var LEFT_OUT = /^(csrf_token|key|version|next|look)$/;

  // A note or task is about a record that the address does not name.
  function about() {
    var fields = form ? Array.from(form.querySelectorAll("input[name=record_type], input[name=record_id]")) : [];
    return fields.map(function (each) { return ":" + each.value; }).join("");
  }

  function keepsDraft() {
    return form && !("noDraft" in form.dataset) && !form.querySelector("input[type=password], input[autocomplete=one-time-code]");
  }

  function typed() {
    var found = [];
    Array.from(form.elements).forEach(function (each) {
      if (!each.name || LEFT_OUT.test(each.name) || each.type === "hidden" || each.type === "file" || each.type === "submit" || each.type === "button" || each.type === "fieldset") { return; }
      if (each.type === "checkbox" || each.type === "radio") { found.push([each.name, each.value, each.checked]); }
      else { found.push([each.name, each.value, null]); }
    });
    return JSON.stringify(found);
  }

  function restore(draft) {
    JSON.parse(draft).forEach(function (kept) {
      Array.from(form.elements).forEach(function (each) {
        if (each.name !== kept[0]) { return; }
        if (kept[2] === null) { each.value = kept[1]; }
        else if (each.value === kept[1]) { each.checked = kept[2]; }
      });
    });
    form.querySelectorAll("details").forEach(function (part) {
      if (Array.from(part.querySelectorAll("input, textarea")).some(function (each) { return each.type !== "radio" && each.type !== "checkbox" && each.value !== each.defaultValue; })) { part.open = true; }
    });
  }

  function offer(draft) {
    var bar = document.getElementById("draft-offer").content.firstElementChild.cloneNode(true);
    bar.querySelector("span").textContent = "You typed something here before and did not send it.";
    bar.addEventListener("click", function (event) {
      var what = event.target.dataset.draft;
      if (!what) { return; }
      if (what === "restore") { restore(draft); } else { remember(sessionStorage, name, null); }
      bar.remove();
    });
    form.before(bar);
  }

  function forget(chosen) {
    Object.keys(sessionStorage).filter(chosen).forEach(function (key) { remember(sessionStorage, key, null); });
  }

  // A form that was sent and is answered by another page with a success is done with.
  var sent = remembered(sessionStorage, "draft-sent");
  if (sent) {
    if (document.querySelector("main .alert-success, main .alert-info, main .once")) { remember(sessionStorage, sent, null); }
    remember(sessionStorage, "draft-sent", null);
  }

  if (keepsDraft()) {
    var fresh = typed();
    var draft = remembered(sessionStorage, name);
    var isAnswer = form.hasAttribute("data-answer") || Boolean(document.querySelector("main .alert-danger, main .invalid-feedback, main[data-answer]"));  // shows what was typed
    if (draft && draft !== fresh && !isAnswer) { offer(draft); }
    form.addEventListener("input", function () { remember(sessionStorage, name, typed()); });
    form.addEventListener("submit", function () {
      remember(sessionStorage, name, typed());
      remember(sessionStorage, "draft-sent", name);
    });
  }

  document.querySelectorAll('form[action$="/sign-out"]').forEach(function (out) {
    out.addEventListener("submit", function () { forget(function (key) { return key.startsWith("draft"); }); });
  });
})();
