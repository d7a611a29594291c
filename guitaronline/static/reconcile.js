// Keys of the exceptions: they open the page of the action for the exception shown, or for the row that j and k walked to.
(function () {
  "use strict";
  var ACTIONS = { a: "accept", s: "split", i: "ignore", w: "write-off", e: "escalate", u: "undo" };

  function isTyping(node) {
    return node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName);
  }

  function exceptionId() {
    var shown = document.querySelector("[data-decide]");
    var row = document.activeElement && document.activeElement.closest("main table tbody tr");
    var link = row && row.querySelector("a[href]");
    var text = shown ? location.pathname + location.search : link ? link.getAttribute("href") : "";
    var found = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(text);
    return found && found[0];
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) { return; }
    if (document.querySelector("dialog[open]")) { return; }
    var action = Object.prototype.hasOwnProperty.call(ACTIONS, event.key) && ACTIONS[event.key];
    var id = action && exceptionId();
    if (!id) { return; }
    event.preventDefault();
    location.assign("/admin/exceptions/" + id + "/" + action);
  });
})();
