(function () {
  "use strict";
  var options = { responsive: true, displaylogo: false, displayModeBar: false };
  var figures = {}, reasons = {}, drawn = {}, moving = false;

  function each(list, act) { Array.prototype.forEach.call(list, act); }

  async function unpacked(id) {
    var bytes = Uint8Array.from(atob(document.getElementById(id).textContent), function (letter) { return letter.charCodeAt(0); });
    var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function plain(text) {
    return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  }

  function shade(trace) {
    return trace.fillcolor || (trace.line && trace.line.color) || (trace.marker || {}).color;
  }

  function legend(place, traces) {
    var list = document.createElement("ul"), seen = {};
    list.className = "legend";
    traces.forEach(function (trace) {
      if (!trace.name || trace.showlegend === false || seen[trace.name]) { return; }
      seen[trace.name] = true;
      var item = document.createElement("li"), button = document.createElement("button");
      var chip = document.createElement("i"), name = document.createElement("span");
      chip.style.background = shade(trace);
      if ((trace.marker || {}).symbol === "diamond") { chip.style.borderRadius = "0"; chip.style.transform = "rotate(45deg) scale(.75)"; chip.style.border = "2px solid #1f2933"; }
      name.textContent = plain(trace.name);
      button.type = "button";
      button.title = "show or hide";
      button.setAttribute("aria-pressed", "true");
      button.append(chip, name);
      button.addEventListener("click", function () {
        var shown = button.getAttribute("aria-pressed") !== "true", same = [];
        button.setAttribute("aria-pressed", String(shown));
        traces.forEach(function (other, number) {
          if (other.name === trace.name || (trace.legendgroup && other.legendgroup === trace.legendgroup)) { same.push(number); }
        });
        Plotly.restyle(place, { visible: shown }, same);
      });
      item.append(button);
      list.append(item);
    });
    return list;
  }

  function saving(place, figure) {
    var box = document.createElement("span"), title = place.getAttribute("aria-label");
    box.className = "save";
    ["png", "svg"].forEach(function (format) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = format.toUpperCase();
      button.title = "save “" + title + "” as an image";
      button.addEventListener("click", function () {
        var width = Math.max(place.clientWidth, 700);
        var layout = Object.assign({}, place.layout, {
          showlegend: true, legend: { orientation: "h", y: -0.15 }, title: { text: title }, autosize: false, width: width,
          margin: Object.assign({}, figure.layout.margin, { t: 60 })
        });
        Plotly.downloadImage({ data: place.data, layout: layout }, {
          format: format, width: width, height: figure.layout.height + 90, scale: 2,
          filename: place.id
        });
      });
      box.append(button);
    });
    return box;
  }

  function timeAxes(place) {
    return Object.keys(place.layout).filter(function (name) { return /^xaxis\d*$/.test(name) && place.layout[name].type === "date"; });
  }

  // a time chosen in one figure is chosen in all of the same instance
  function follow(place, change) {
    if (moving) { return; }
    var range = null;
    Object.keys(change).forEach(function (key) {
      var named = /^(xaxis\d*)\.(range(\[0\])?|autorange)$/.exec(key);
      if (named) { range = place.layout[named[1]].range.slice(); }
    });
    if (!range || timeAxes(place).length === 0) { return; }
    var scope = place.closest(".scope");
    scope.timeRange = range;
    moving = true;
    var moved = [];
    each(scope.querySelectorAll(".plot"), function (other) {
      if (other !== place && drawn[other.id]) { moved.push(toTime(other, range)); }
    });
    Promise.all(moved).then(function () { moving = false; });
  }

  function toTime(place, range) {
    var update = {};
    timeAxes(place).forEach(function (name) { update[name + ".range"] = range; });
    return Object.keys(update).length ? Plotly.relayout(place, update) : null;
  }

  function narrow(layout) {
    layout.font = Object.assign({}, layout.font, { size: 11 });
    var named = (layout.xaxis || {}).ticktext;
    if (named && named.length > 4) {
      layout.xaxis.ticktext = named.map(function (text, number) { return number % 2 ? text : ""; });
    }
    Object.keys(layout).forEach(function (name) {
      if (/^xaxis/.test(name) && layout[name].nticks > 5) { layout[name].nticks = 5; }
    });
  }

  function draw(root) {
    var scope = root.closest(".scope");
    each(root.querySelectorAll(".plot"), function (place) {
      if (drawn[place.id] || place.closest("[hidden]")) { return; }
      drawn[place.id] = true;
      var figure = figures[scope.id][place.id], tools = document.createElement("div");
      if (window.innerWidth < 600) { narrow(figure.layout); }
      tools.className = "tools";
      tools.append(legend(place, figure.data), saving(place, figure));
      place.before(tools);
      Plotly.newPlot(place, figure.data, figure.layout, options).then(function () {
        if (!performance.getEntriesByName("first plot").length) { performance.mark("first plot"); }
        if (scope.timeRange) { toTime(place, scope.timeRange); }
        mark(place);
        place.on("plotly_relayout", function (change) { follow(place, change); });
        place.on("plotly_click", function (event) { asked(place, event); });
      });
    });
  }

  function option(select, text, value) {
    var found = document.createElement("option");
    found.textContent = text;
    found.value = value;
    select.append(found);
  }

  // the slot that is told of, in every row of a figure over time
  function mark(place) {
    var detail = place.closest(".detail"), slot = detail && detail.querySelector(".why .slot"), axes = timeAxes(place);
    if (!slot || !slot.options.length || axes.length === 0) { return; }
    var frame = reasons[place.closest(".scope").id].frame, begun = Date.parse(frame.start) + slot.value * frame.step;
    var ends = [begun, begun + frame.step].map(function (time) { return new Date(time).toISOString().slice(0, 19).replace("T", " "); });
    var others = (place.layout.shapes || []).filter(function (shape) { return shape.name !== "slot"; });
    Plotly.relayout(place, { shapes: others.concat(axes.map(function (name) {
      return {
        name: "slot", type: "rect", xref: name.replace("axis", ""), yref: place.layout[name].anchor + " domain", x0: ends[0], x1: ends[1], y0: 0, y1: 1,
        fillcolor: "rgba(31, 41, 51, .14)", line: { width: 1, color: "rgba(31, 41, 51, .5)" }
      };
    })) });
  }

  function explain(detail) {
    var found = reasons[detail.closest(".scope").id], box = detail.querySelector(".why");
    if (!found || !box) { return; }
    var slot = box.querySelector(".slot"), site = box.querySelector(".site"), told = box.querySelector(".reason");
    if (!slot.options.length) {
      for (var n = 0; n < found.frame.slots; n++) {
        var time = new Date(Date.parse(found.frame.start) + n * found.frame.step).toISOString();
        option(slot, time.slice(0, 10) + " " + time.slice(11, 16), n);
      }
      found.frame.sites.forEach(function (name, n) { option(site, name, n); });
      each([slot, site], function (select) { select.addEventListener("change", function () { explain(detail); }); });
      detail.querySelector(".panel").append(box);
      box.hidden = false;
    }
    told.textContent = "";
    found.of[detail.id][site.value][slot.value].forEach(function (line) {
      var text = document.createElement("p");
      text.textContent = line.trim();
      if (line.indexOf("  ") === 0) { text.className = "rejected"; }
      told.append(text);
    });
    each(detail.querySelectorAll(".plot"), function (place) { if (place.layout) { mark(place); } });
  }

  // what is clicked says the slot, and the row of the figure says the site
  function asked(place, event) {
    var detail = place.closest(".detail"), scope = place.closest(".scope"), point = event.points[0];
    var found = reasons[scope.id], box = detail && detail.querySelector(".why");
    if (!found || !box || timeAxes(place).length === 0) { return; }
    var after = (Date.parse(String(point.x).replace(" ", "T") + (/:/.test(point.x) ? "Z" : "")) - Date.parse(found.frame.start)) / found.frame.step;
    if (!isFinite(after)) { return; }
    box.querySelector(".slot").value = Math.min(Math.max(Math.floor(after + 1e-6), 0), found.frame.slots - 1);
    var axis = (point.data.yaxis || "y").slice(1), named = (place.layout.annotations || [])[axis ? axis - 1 : 0];
    var row = named ? found.frame.rows.indexOf(named.text) : -1;
    if (row >= 0) { box.querySelector(".site").value = row; }
    place.closest(".panel").append(box);
    explain(detail);
  }

  // figures are drawn when they come near, so that the first one is there at once
  var near = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
    });
  }, { rootMargin: "600px" });

  async function show(scope) {
    if (!figures[scope.id]) { figures[scope.id] = JSON.parse(await unpacked(scope.getAttribute("data-figures"))); }
    each(scope.querySelectorAll(".panel"), function (panel) { near.observe(panel); });
    var texts = "r-" + scope.id;
    if (document.getElementById(texts) && !reasons[scope.id]) {
      reasons[scope.id] = JSON.parse(await unpacked(texts));
      each(scope.querySelectorAll(".detail"), explain);
    }
  }

  function sorted(table) {
    var heads = table.querySelectorAll("thead th"), body = table.tBodies[0];
    each(heads, function (head, column) {
      head.querySelector("button").addEventListener("click", function () {
        var first = head.classList.contains("n") ? "descending" : "ascending";
        var second = first === "ascending" ? "descending" : "ascending";
        var order = head.getAttribute("aria-sort") === first ? second : first;
        each(heads, function (other) { other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", order);
        var rows = Array.prototype.slice.call(body.rows), sign = order === "ascending" ? 1 : -1;
        function value(row) { return row.cells[column].getAttribute("data-value"); }
        rows.sort(function (one, other) {
          var a = value(one), b = value(other);
          // what has no number stands last, whatever the order
          if (a === "" || b === "") { return (a === "") - (b === ""); }
          return sign * (head.classList.contains("n") ? a - b : a.localeCompare(b));
        });
        rows.forEach(function (row) { body.append(row); });
      });
    });
  }

  each(document.querySelectorAll("table.policies"), sorted);
  each(document.querySelectorAll(".tabs"), function (bar) {
    each(bar.children, function (tab) {
      tab.addEventListener("click", function () {
        each(bar.children, function (other) {
          other.setAttribute("aria-selected", String(other === tab));
          document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
        });
        show(tab.closest(".scope"));
        each(document.getElementById(tab.getAttribute("aria-controls")).querySelectorAll(".panel"), function (panel) { near.observe(panel); });
      });
    });
  });

  var picker = document.getElementById("scope");
  if (picker) {
    picker.addEventListener("change", function () {
      each(document.querySelectorAll(".scope"), function (scope) { scope.hidden = scope.id !== picker.value; });
      show(document.getElementById(picker.value));
    });
  }

  async function begin() {
    if (typeof DecompressionStream === "undefined") {
      document.getElementById("old").hidden = false;
      return;
    }
    var script = document.createElement("script");
    script.textContent = await unpacked("library");
    document.head.append(script);
    await show(document.querySelector(".scope:not([hidden])"));
  }

  // a page that is printed shows its figures, too
  window.addEventListener("beforeprint", function () {
    each(document.querySelectorAll(".scope:not([hidden]) .panel"), function (panel) { if (window.Plotly) { draw(panel); } });
    each(document.querySelectorAll(".plot"), function (place) { if (drawn[place.id]) { Plotly.Plots.resize(place); } });
  });

  begin();
})();
