// Suggestions under the search field. Comfort only: without it Enter leads to the page of results.
(function () {
  "use strict";
  var field = document.getElementById("global-search");
  if (!field) { return; }
  var box = document.createElement("div");
  var options = [];
  var chosen = -1;
  var waiting = null;
  var asking = null;

  box.id = "global-search-hits";
  box.className = "suggestions";
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", "Suggestions");
  box.hidden = true;
  field.form.append(box);
  [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", box.id], ["aria-autocomplete", "list"]].forEach(function (each) {
    field.setAttribute(each[0], each[1]);
  });

  function close() {
    box.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    chosen = -1;
  }

  function choose(number) {
    if (!options.length) { return; }
    if (options[chosen]) { options[chosen].setAttribute("aria-selected", "false"); }
    chosen = (number + options.length) % options.length;
    options[chosen].setAttribute("aria-selected", "true");
    options[chosen].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", options[chosen].id);
  }

  function element(tag, words, attributes) {
    var made = document.createElement(tag);
    made.textContent = words;
    Object.keys(attributes || {}).forEach(function (name) { made.setAttribute(name, attributes[name]); });
    return made;
  }

  function option(hit) {
    var made = element("div", hit.title + " ", { role: "option", id: "hit-" + options.length, "aria-selected": "false" });
    made.dataset.url = hit.url;
    if (hit.note) { made.append(element("span", hit.note)); }
    options.push(made);
    return made;
  }

  function show(groups) {
    options = [];
    chosen = -1;
    field.removeAttribute("aria-activedescendant");
    box.replaceChildren();
    groups.forEach(function (group) {
      var part = element("div", "", { role: "group", "aria-label": group.title });
      part.append(element("div", group.title, { "aria-hidden": "true" }));
      group.hits.forEach(function (hit) { part.append(option(hit)); });
      box.append(part);
    });
    if (!options.length) { box.append(element("p", "Nothing is called that.")); }
    box.hidden = false;
    field.setAttribute("aria-expanded", "true");
  }

  function ask() {
    var words = field.value.trim();
    if (asking) { asking.abort(); }
    if (!words) { close(); return; }
    asking = new AbortController();
    fetch(field.dataset.suggest + "?q=" + encodeURIComponent(words), { signal: asking.signal, headers: { Accept: "application/json" } })
      .then(function (answer) { return answer.ok && !answer.redirected ? answer.json() : null; })
      .then(function (found) { if (found && document.activeElement === field) { show(found.groups); } else { close(); } })
      .catch(close);  // no network, or typed on: Enter still works
  }

  field.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 120);
  });
  field.addEventListener("keydown", function (event) {
    if (event.isComposing) { return; }
    if (event.key === "Escape") {
      if (box.hidden) { field.blur(); } else { close(); }
      event.preventDefault();
    } else if (!box.hidden && event.key === "ArrowDown") {
      choose(chosen + 1);
      event.preventDefault();
    } else if (!box.hidden && event.key === "ArrowUp") {
      choose(chosen < 0 ? options.length - 1 : chosen - 1);
      event.preventDefault();
    } else if (event.key === "Enter" && !box.hidden && options[chosen]) {
      location.assign(options[chosen].dataset.url);
      event.preventDefault();
    }
  });
  box.addEventListener("pointerdown", function (event) {
    var hit = event.target.closest("[role=option]");
    event.preventDefault();  // the field keeps the focus
    if (hit && event.button === 0) { location.assign(hit.dataset.url); }
  });
  field.addEventListener("blur", close);
  field.addEventListener("focus", function () { field.select(); });
})();
