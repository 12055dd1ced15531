// Parallel: each trial as a line across its settings and what came of it.

const STEPS = 7; // of colour, from the least accurate trials to the most accurate
const AXIS = 92; // width of an axis at least

function drawParallel(state) {
  const study = state.studies[state.current];
  const trials = study.trials
    .map((trial, number) => ({ trial, number, last: trial.parameters.length - 1 }))
    .filter(({ trial, last }) => last >= 0 && trial.validation[last] !== null);
  const place = byId("parallel");
  const dimensions = parallelDimensions(study, trials);
  if (trials.length < 2) {
    place.replaceChildren(html("p", { class: "hint" }, "Two trials are needed for a comparison."));
    byId("parallel-legend").replaceChildren();
    return;
  }
  place.style.minWidth = `${dimensions.length * AXIS}px`;
  const area = canvas(
    place,
    state.narrow ? 320 : 340,
    { left: 58, right: 58, top: 40, bottom: 22 },
    "Settings and results of all trials",
  );
  const board = {
    state,
    study,
    area,
    dimensions,
    lines: parallelLines(study, trials, dimensions, area),
    kept: new Map(),
    here: -1,
  };
  dimensions.forEach((dimension) => drawDimension(board, dimension));
  pointAtParallel(board);
  drawParallelLegend(trials);
}

/** The axes: settings in which trials differ, then size and accuracy; each with a scale of its own. */
function parallelDimensions(study, trials) {
  const several = Object.keys(study.methods).length > 1;
  const methods = several
    ? [{ name: "method", about: "how networks grow and prune themselves", of: ({ trial }) => trial.method }]
    : [];
  const settings = study.settings.map(({ name, about, log }) => ({
    name,
    about,
    log,
    of: ({ trial }) => trial.settings[name],
  }));
  const results = [
    {
      name: "parameters",
      about: "non-zero parameters at the last epoch",
      log: true,
      of: ({ trial, last }) => Math.max(1, trial.parameters[last]),
    },
    ...otherCosts(study).map((cost) => ({
      name: COST_NAMES[cost],
      about: `${COST_NAMES[cost]} at the last epoch`,
      log: true,
      of: ({ trial, last }) => Math.max(1, trial[cost][last]),
    })),
    {
      name: "accuracy",
      about: "validation accuracy at the last epoch",
      log: false,
      of: ({ trial, last }) => trial.validation[last],
      format: percent,
    },
  ];
  return [...methods, ...settings, ...results].map((dimension) => ({
    ...dimension,
    values: trials.map(dimension.of),
  }));
}

function scaleOf(dimension, area) {
  const known = dimension.values.filter((one) => one !== undefined && one !== null);
  const words = known.some((one) => typeof one !== "number");
  if (words) {
    const names = [...new Set(known.map(String))].sort();
    const inner = linear([0, Math.max(1, names.length - 1)], [area.bottom - 12, area.top + 12]);
    const scale = (one) => inner(names.indexOf(String(one)));
    scale.ticks = () => names;
    return scale;
  }
  const ends = [Math.min(...known), Math.max(...known)];
  return (dimension.log && ends[0] > 0 ? logarithmic : linear)(ends, [area.bottom - 4, area.top + 4]);
}

/** Lay the axes out, and draw a line for each trial: the most accurate ones last, and so on top. */
function parallelLines(study, trials, dimensions, area) {
  const across = linear([0, dimensions.length - 1], [area.left, area.right]);
  dimensions.forEach((dimension, index) =>
    Object.assign(dimension, { x: across(index), scale: scaleOf(dimension, area) }),
  );
  const accuracy = ({ trial, last }) => trial.validation[last];
  const ordered = [...trials].sort((one, other) => accuracy(one) - accuracy(other));
  return ordered.map((entry, place) => {
    const heights = dimensions.map((dimension) => {
      const drawn = dimension.of(entry);
      return drawn === undefined || drawn === null ? area.bottom + 10 : dimension.scale(drawn);
    });
    const rank = Math.floor((place / ordered.length) * STEPS);
    const cut = entry.trial.ending === "finished" ? "" : " cut";
    const path = draw("path", {
      class: `trial rank-${rank}${cut}`,
      d: line(heights.map((y, index) => [dimensions[index].x, y])),
    });
    area.svg.append(path);
    return { ...entry, heights, path };
  });
}

function drawDimension(board, dimension) {
  const { area } = board;
  const { x, name, about, scale } = dimension;
  const known = dimension.values.some((one) => typeof one === "number");
  const group = draw("g");
  group.append(draw("line", { class: "axis", x1: x, x2: x, y1: area.top, y2: area.bottom }));
  for (const tick of scale.ticks(5)) {
    group.append(
      draw(
        "text",
        { x: x + 5, y: scale(tick) + 4, class: "value" },
        known ? (dimension.format ? percentTick(tick) : short(tick)) : String(tick),
      ),
    );
  }
  const title = draw(
    "text",
    {
      class: "title",
      x,
      y: area.top - (board.dimensions.indexOf(dimension) % 2 ? 10 : 25),
      "text-anchor": "middle",
    },
    name,
    draw("title", {}, about),
  );
  const handle = draw("rect", {
    class: "handle",
    x: x - 14,
    y: area.top - 4,
    width: 28,
    height: area.bottom - area.top + 8,
  });
  const kept = draw("rect", { class: "kept", x: x - 6, width: 12, visibility: "hidden" });
  group.append(title, kept, handle);
  area.svg.append(group);
  dimension.keptMark = kept;
  dragAlong(board, dimension, handle, kept);
}

/** Dragging along an axis keeps what passes there; a click on it lets all pass again. */
function dragAlong(board, dimension, handle, kept) {
  let from = null;
  handle.addEventListener("pointerdown", (event) => {
    [, from] = placeIn(board.area.svg, event);
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const [, to] = placeIn(board.area.svg, event);
    if (Math.abs(to - from) < 4) return;
    const ends = [Math.min(from, to), Math.max(from, to)];
    board.kept.set(dimension, ends);
    kept.setAttribute("y", ends[0]);
    kept.setAttribute("height", ends[1] - ends[0]);
    kept.setAttribute("visibility", "visible");
    passLines(board);
  });
  handle.addEventListener("pointerup", (event) => {
    const [, to] = placeIn(board.area.svg, event);
    if (from !== null && Math.abs(to - from) < 4) forget(board, dimension);
    from = null;
  });
}

function forget(board, dimension) {
  board.kept.delete(dimension);
  dimension.keptMark.setAttribute("visibility", "hidden");
  passLines(board);
}

function passLines(board) {
  for (const one of board.lines) {
    one.passes = [...board.kept].every(([dimension, [top, bottom]]) => {
      const height = one.heights[board.dimensions.indexOf(dimension)];
      return height >= top && height <= bottom;
    });
    one.path.classList.toggle("out", !one.passes);
  }
}

function pointAtParallel(board) {
  const { area, state, lines } = board;
  const { svg } = area;
  const light = (index, x, y) => {
    lines[board.here]?.path.classList.remove("lit");
    board.here = index;
    if (index < 0) {
      hideTip();
      return;
    }
    lines[index].path.classList.add("lit");
    const { number, trial } = lines[index];
    showTip(pointWords(board.study, number, trial.parameters.length), x, y);
  };
  const pick = () => {
    if (board.here >= 0) choose(state, state.current, lines[board.here].number, lines[board.here].last + 1);
  };
  lines.forEach((one) =>
    one.path.classList.toggle(
      "chosen",
      state.chosen?.study === state.current && state.chosen.trial === one.number,
    ),
  );
  svg.setAttribute("tabindex", "0");
  svg.dataset.key = "parallel";
  svg.addEventListener("pointermove", (event) =>
    light(nearestLine(board, ...placeIn(svg, event)), event.clientX, event.clientY),
  );
  svg.addEventListener("pointerleave", () => light(-1));
  svg.addEventListener("blur", () => light(-1));
  svg.addEventListener("click", (event) => {
    if (!event.target.classList.contains("handle")) pick();
  });
  svg.addEventListener("keydown", (event) => {
    const next = stepped(event.key, board.here < 0 ? lines.length : board.here, lines.length);
    if (event.key === "Enter") pick();
    else if (event.key === "Escape" && board.kept.size) {
      event.stopPropagation();
      board.dimensions.forEach((dimension) => forget(board, dimension));
    } else if (next !== null)
      light(next, ...inWindow(svg, area.right - 40, lines[next].heights[lines[next].heights.length - 1]));
    else return;
    event.preventDefault();
  });
}

function nearestLine({ dimensions, lines }, x, y) {
  let [best, least] = [-1, 9];
  const after = clamp(
    dimensions.findIndex((dimension) => dimension.x >= x),
    1,
    dimensions.length - 1,
  );
  const share = (x - dimensions[after - 1].x) / (dimensions[after].x - dimensions[after - 1].x);
  lines.forEach(({ heights, passes }, index) => {
    const distance = Math.abs(heights[after - 1] + share * (heights[after] - heights[after - 1]) - y);
    if (passes !== false && distance < least) [best, least] = [index, distance];
  });
  return best;
}

function drawParallelLegend(trials) {
  const ramp = Array.from({ length: STEPS }, (_, rank) =>
    draw(
      "g",
      { class: `rank-${rank}` },
      draw("rect", { class: "ramp", x: rank * 3.1, y: 3, width: 3.2, height: 8 }),
    ),
  );
  const entries = [entry(draw("g", {}, ...ramp), "the less accurate to the more accurate trials")];
  if (trials.some(({ trial }) => trial.ending !== "finished")) {
    entries.push(
      entry(
        draw("g", { class: "rank-4" }, draw("path", { class: "trial cut", d: "M0,7h22" })),
        "stopped early, failed or not at its end yet",
      ),
    );
  }
  byId("parallel-legend").replaceChildren(...entries);
}
