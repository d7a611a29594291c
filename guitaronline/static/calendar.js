// Draws the calendar from its feed. Comfort only: the list below it says and leads to the same. On a phone the list is better.
(function () {
  "use strict";
  var place = document.getElementById("calendar");
  var list = document.getElementById("calendar-list");
  var says = document.getElementById("calendar-says");
  var asked = place.dataset;
  var opened = Date.now();

  document.getElementById("cal-teacher").addEventListener("change", function (event) { event.target.form.submit(); });
  if (matchMedia("(max-width: 767.98px)").matches || !window.FullCalendar) { return; }
  list.open = false;
  place.hidden = false;
  document.getElementById("calendar-hint").hidden = false;

  function say(words) {
    says.textContent = words;
    says.hidden = !words;
  }

  // Times are the wall clock of the viewer's zone, drawn as they are: FullCalendar takes them for UTC.
  function wallClock() {
    return new Date(Date.parse(asked.now + "Z") + Date.now() - opened).toISOString().slice(0, 19);
  }

  function read(first, end, teacher, taken) {
    var query = new URLSearchParams({ start: first, end: end, teacher: teacher, taken: taken });
    return fetch(asked.events + "?" + query, { headers: { Accept: "application/json" } }).then(function (answer) {
      if (!answer.ok || answer.redirected) { throw new Error("The calendar could not be read. Reload the page."); }
      return answer.json();
    }).then(function (found) {
      if (found.is_cut) { say("There is more than one page can show. Choose a teacher or a day."); }
      return found;
    });
  }

  function load(range, done, failed) {
    read(range.startStr.slice(0, 10), range.endStr.slice(0, 10), asked.teacher, asked.taken)
      .then(function (found) { done(found.away.map(behind).concat(found.events.map(drawn))); })
      .catch(function (error) { say(error.message); failed(error); });
  }

  function drawn(each) {
    var movable = Boolean(each.move_url);
    return {
      id: each.id, title: each.title, start: each.start, end: each.end, url: each.url, extendedProps: each,
      classNames: ["cal-" + each.state, each.is_over ? "cal-over" : "", movable ? "cal-movable" : ""].filter(Boolean),
      startEditable: movable, durationEditable: false,
    };
  }

  // Time off and closures lie behind the slots and lead nowhere; the page names them above its list.
  function behind(each) {
    return {
      id: each.id, title: each.title, start: each.start, end: each.end, display: "background", extendedProps: each,
      classNames: ["cal-away", "cal-" + each.kind],
    };
  }

  function isShort(shown) { return shown.event.end - shown.event.start < 45 * 60000; }  // room for one line

  // Begins with what is seen, so that people who speak to the page are understood.
  function inWords(shown) {
    var each = shown.event.extendedProps, title = shown.event.title;
    var seen = isShort(shown) ? [title, each.state] : [each.state, title];
    return [shown.timeText].concat(seen, title.includes(each.teacher_name) ? [] : [each.teacher_name]).filter(Boolean).join(" ");
  }

  function content(shown) {
    if (shown.event.display === "background") {
      var said = document.createElement("span");
      said.className = "cal-away-words";
      said.textContent = shown.event.title;
      return { domNodes: [said] };
    }
    var svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    var use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", asked.icons + "#" + shown.event.extendedProps.icon);
    svg.append(use);
    var words = document.createElement("span");
    words.textContent = shown.timeText + " " + (isShort(shown) ? shown.event.title : shown.event.extendedProps.state);
    var who = document.createElement("div");
    who.textContent = isShort(shown) ? "" : shown.event.title;
    return { domNodes: [svg, words, document.createTextNode(" "), who] };
  }

  function onDay(moment) {
    return moment.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
  }

  // Leads to the page that moves bookings; nothing is changed here.
  function dropped(info) {
    var moved = info.event.extendedProps;
    var start = info.event.start;
    var day = start.toISOString().slice(0, 10);
    info.revert();
    read(day, new Date(Date.parse(day) + 86400000).toISOString().slice(0, 10), moved.teacher, "").then(function (read) {
      var found = read.events;
      var wall = start.toISOString().slice(0, 19);
      var open = found.filter(function (each) { return each.state === "open" && !each.is_over; });
      var there = open.find(function (each) { return each.start <= wall && wall < each.end; });
      if (there) { location.assign(moved.move_url + "?new_slot_id=" + there.id); return; }
      say("Nothing was moved: " + moved.teacher_name + " has no open slot on " + onDay(start) + " at " + wall.slice(11, 16) + ". " +
        (open.length ? "Open that day: " + open.map(function (each) { return each.start.slice(11, 16); }).join(", ") + "." : "None is open that day; make one first."));
    }).catch(function (error) { say(error.message); });
  }

  var calendar = new FullCalendar.Calendar(place, {
    initialView: asked.view === "week" ? "timeGridWeek" : "timeGridDay",
    initialDate: asked.day,
    firstDay: 1,
    timeZone: "UTC",
    now: wallClock,
    headerToolbar: false,
    allDaySlot: false,
    nowIndicator: true,
    height: "auto",
    slotMinTime: asked.from + ":00:00",
    slotMaxTime: asked.to + ":00:00",
    slotLabelFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
    eventTimeFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
    displayEventEnd: false,
    dayHeaderContent: function (shown) { return onDay(shown.date); },
    snapDuration: "00:15:00",
    slotEventOverlap: false,
    eventDragMinDistance: 8,
    events: load,
    eventContent: content,
    eventDidMount: function (shown) {
      if (shown.event.display === "background") { shown.el.title = shown.event.title; return; }
      shown.el.setAttribute("aria-label", inWords(shown));
      shown.el.title = inWords(shown);
    },
    eventDrop: dropped,
  });
  calendar.render();
})();
