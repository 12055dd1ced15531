// Drawing: elements, scales, axes, and the ways in which a chart is pointed at. Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and children; a string among them becomes text. */
function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** An HTML element, likewise. */
function html(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** Value -> place, straight; `inverse` is the way back. */
function linear([low, high], [from, to]) {
  const extent = high - low || 1;
  const scale = (value) => from + ((value - low) / extent) * (to - from);
  scale.inverse = (place) => low + ((place - from) / (to - from || 1)) * extent;
  scale.ticks = (most = 6) => linearTicks(low, high, most);
  return scale;
}

/** Value -> place by the logarithm of the value; what is not above 0 counts as the lower end. */
function logarithmic([low, high], range) {
  const inner = linear([Math.log10(low), Math.log10(high)], range);
  const scale = (value) => inner(Math.log10(value > 0 ? value : low));
  scale.inverse = (place) => 10 ** inner.inverse(place);
  scale.ticks = (most = 8) => logarithmicTicks(low, high, most);
  return scale;
}

function linearTicks(low, high, most) {
  const rough = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9));
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

function logarithmicTicks(low, high, most) {
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const step of steps) ticks.push(step * 10 ** power);
    }
    const within = ticks.filter((tick) => tick >= low * 0.9999 && tick <= high * 1.0001);
    if (within.length > 1 && within.length <= most) return within;
  }
  return logarithmicSparse(low, high, most);
}

function logarithmicSparse(low, high, most) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  if (last <= first) return [low, high].map((end) => Number(end.toPrecision(2)));
  const stride = Math.ceil((last - first + 1) / most);
  const ticks = [];
  for (let power = first; power <= last; power += stride) ticks.push(10 ** power);
  return ticks;
}

/** An empty drawing as wide as its place, with the area that its margins leave. */
function canvas(place, height, margin, label) {
  const width = Math.max(260, Math.floor(place.clientWidth || 640));
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  place.replaceChildren(svg);
  return {
    svg,
    width,
    height,
    left: margin.left,
    right: width - margin.right,
    top: margin.top,
    bottom: height - margin.bottom,
  };
}

/** The axes of an area, with a faint grid, labels and titles. */
function axes(area, across, upwards) {
  const group = draw("g", { "aria-hidden": "true" });
  const wide = area.right - area.left;
  for (const tick of across.scale.ticks(Math.max(2, Math.floor(wide / 75)))) {
    const x = across.scale(tick);
    group.append(draw("line", { class: "grid", x1: x, x2: x, y1: area.top, y2: area.bottom }));
    if (across.format) {
      group.append(draw("text", { x, y: area.bottom + 16, "text-anchor": "middle" }, across.format(tick)));
    }
  }
  for (const tick of upwards.scale.ticks(Math.max(2, Math.floor((area.bottom - area.top) / 34)))) {
    const y = upwards.scale(tick);
    group.append(draw("line", { class: "grid", x1: area.left, x2: area.right, y1: y, y2: y }));
    group.append(draw("text", { x: area.left - 7, y: y + 4, "text-anchor": "end" }, upwards.format(tick)));
  }
  group.append(
    draw("line", { class: "axis", x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }),
  );
  if (across.title) {
    group.append(
      draw(
        "text",
        { class: "title", x: (area.left + area.right) / 2, y: area.bottom + 34, "text-anchor": "middle" },
        across.title,
      ),
    );
  }
  group.append(draw("text", { class: "title", x: area.left, y: area.top - 9 }, upwards.title));
  area.svg.append(group);
}

/** Points as one line; where `steps` is set, level until the next point. */
function line(points, steps = false) {
  let path = "";
  let before = null;
  for (const [x, y] of points) {
    if (y === null || Number.isNaN(y)) {
      before = null;
      continue;
    }
    const here = `${x.toFixed(1)},${y.toFixed(1)}`;
    if (before === null) path += `M${here}`;
    else path += steps ? `H${x.toFixed(1)}V${y.toFixed(1)}` : `L${here}`;
    before = y;
  }
  return path;
}

/** A pointer's place in the units of a drawing. */
function placeIn(svg, event) {
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

/** Where a place in a drawing lies in the window. */
function inWindow(svg, x, y) {
  const box = svg.getBoundingClientRect();
  const scale = box.width / svg.viewBox.baseVal.width;
  return [box.left + x * scale, box.top + y * scale];
}

/** A mark for a point: round where single weights are pruned, square where only whole channels are. */
function mark(shape, x, y, size, name) {
  if (shape === "structured") {
    return draw("rect", {
      class: name,
      x: x - size * 0.9,
      y: y - size * 0.9,
      width: size * 1.8,
      height: size * 1.8,
    });
  }
  return draw("circle", { class: name, cx: x, cy: y, r: size });
}

function diamond(x, y, size, name) {
  return draw("path", {
    class: name,
    d: `M${x},${y - size}l${size},${size}l${-size},${size}l${-size},${-size}z`,
  });
}

/** An entry of a legend: a small drawing and its words. */
function entry(picture, words) {
  return html("li", {}, draw("svg", { viewBox: "0 0 22 14", "aria-hidden": "true" }, picture), words);
}

/** A row of buttons of which one is pressed; `choose` gets the key of a newly pressed one. */
function choice(place, options, pressed, choose) {
  const buttons = Object.entries(options).map(([key, words]) =>
    html(
      "button",
      {
        type: "button",
        "aria-pressed": String(key === pressed),
        click: () => {
          for (const button of buttons)
            button.setAttribute("aria-pressed", String(button.textContent === words));
          choose(key);
        },
      },
      words,
    ),
  );
  place.replaceChildren(...buttons);
}

/** A line that follows the pointer, or the arrow keys, from one place across to the next. */
function crosshair(area, places, tell, label, top = area.top) {
  const rule = draw("line", { class: "crosshair", y1: top, y2: area.bottom, visibility: "hidden" });
  let here = -1;
  const move = (index, x, y) => {
    here = index;
    rule.setAttribute("x1", places[index]);
    rule.setAttribute("x2", places[index]);
    rule.setAttribute("visibility", "visible");
    showTip(tell(index), x, y);
  };
  const leave = () => {
    rule.setAttribute("visibility", "hidden");
    hideTip();
  };
  const svg = area.svg;
  svg.append(rule);
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("aria-label", label);
  svg.addEventListener("pointermove", (event) => {
    const [x] = placeIn(svg, event);
    move(nearest(places, x), event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const next = stepped(event.key, here, places.length);
    if (next === null) return;
    event.preventDefault();
    move(next, ...inWindow(svg, places[next], area.top));
  });
}

function nearest(places, place) {
  let best = 0;
  places.forEach((one, index) => {
    if (Math.abs(one - place) < Math.abs(places[best] - place)) best = index;
  });
  return best;
}

/** Where an arrow key, Home or End leads from one of `count` things in a row; null where it does not. */
function stepped(key, here, count) {
  const to = {
    ArrowRight: here + 1,
    ArrowUp: here + 1,
    ArrowLeft: here - 1,
    ArrowDown: here - 1,
    Home: 0,
    End: count - 1,
  };
  return key in to && count ? clamp(to[key], 0, count - 1) : null;
}

/** Say something beside a place in the window: a heading, and pairs of words. */
function showTip({ heading, pairs, note }, x, y) {
  const tip = byId("tip");
  const list = html("dl", { class: "pairs" });
  for (const [name, value] of pairs) list.append(html("dt", {}, name), html("dd", {}, value));
  tip.replaceChildren(html("strong", {}, heading), list, note ? html("em", {}, note) : "");
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > window.innerWidth ? x - 16 - box.width : x + 16;
  tip.style.left = `${clamp(left, 4, Math.max(4, window.innerWidth - box.width - 4))}px`;
  tip.style.top = `${clamp(y + 14, 4, Math.max(4, window.innerHeight - box.height - 4))}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
