// Front: accuracy against parameters; every epoch faintly, the front as steps with points that can be chosen.

/** Draw all studies' fronts into one plane. */
function drawFront(state) {
  const area = canvas(
    byId("front"),
    state.narrow ? 340 : 540,
    { left: 52, right: 16, top: 26, bottom: 42 },
    "Accuracy against parameters",
  );
  const plane = { ...frontScales(state, area), places: [], area };
  area.svg.append(
    draw(
      "clipPath",
      { id: "plane-clip" },
      draw("rect", {
        x: area.left,
        y: area.top - 4,
        width: area.right - area.left,
        height: area.bottom - area.top + 5,
      }),
    ),
  );
  axes(
    area,
    { scale: plane.x, format: short, title: "parameters (non-zero), logarithmic" },
    { scale: plane.y, format: percentTick, title: "accuracy" },
  );
  area.svg.classList.toggle("only", state.studies.length === 1);
  state.studies.forEach((study, index) => {
    const group = draw("g", { class: `study-${index % 7}` });
    area.svg.append(group);
    drawCloud(study, index, plane, group);
    drawSteps(study, plane, group);
    drawTests(study, plane, group);
    drawConfirmed(study, plane, group);
  });
  drawTrace(state, plane);
  state.studies.forEach((study, index) => drawPoints(state, study, index, plane));
  pointAtFront(state, plane);
  drawFrontLegend(state);
}

function frontScales(state, area) {
  const limits = state.everything
    ? allLimits(state.studies)
    : {
        left: Math.min(...state.studies.map((study) => study.axes.left)),
        right: Math.max(...state.studies.map((study) => study.axes.right)),
        bottom: Math.min(...state.studies.map((study) => study.axes.bottom)),
        top: Math.max(...state.studies.map((study) => study.axes.top)),
      };
  return {
    x: logarithmic([10 ** limits.left, 10 ** limits.right], [area.left, area.right]),
    y: linear([limits.bottom, limits.top], [area.bottom, area.top]),
  };
}

function allLimits(studies) {
  let [least, most, lowest] = [Infinity, 1, 1];
  for (const trial of studies.flatMap((study) => study.trials)) {
    for (const size of trial.parameters) [least, most] = [Math.min(least, size), Math.max(most, size)];
    for (const accuracy of trial.validation) if (accuracy !== null) lowest = Math.min(lowest, accuracy);
  }
  return {
    left: Math.log10(Math.max(1, least)) - 0.05,
    right: Math.log10(most) + 0.05,
    bottom: lowest - 0.02,
    top: 1.005,
  };
}

function within(area, x, y) {
  return x >= area.left && x <= area.right && y >= area.top && y <= area.bottom;
}

/** All epochs of all trials as dots of two paths: those that meet the study's limits, and the others. */
function drawCloud(study, index, plane, group) {
  const paths = { feasible: [], infeasible: [] };
  study.trials.forEach((trial, number) => {
    const beyond = new Set(trial.infeasible);
    trial.parameters.forEach((size, epoch) => {
      if (trial.validation[epoch] === null) return;
      const [x, y] = [plane.x(size), plane.y(trial.validation[epoch])];
      if (!within(plane.area, x, y)) return;
      const outside = beyond.has(epoch + 1);
      plane.places.push({ x, y, study: index, trial: number, epoch: epoch + 1 });
      if (outside) paths.infeasible.push(`M${x.toFixed(1)},${y.toFixed(1)}m-2-2l4,4m0-4l-4,4`);
      else paths.feasible.push(`M${x.toFixed(1)},${y.toFixed(1)}h0`);
    });
  });
  group.append(draw("path", { class: "cloud", d: paths.feasible.join("") }));
  if (paths.infeasible.length)
    group.append(draw("path", { class: "cloud infeasible", d: paths.infeasible.join("") }));
}

function drawSteps(study, plane, group) {
  const points = study.front
    .filter((point) => point.plane)
    .map((point) => [plane.x(sizeOf(study, point)), plane.y(accuracyOf(study, point))]);
  const whole = [
    [points[0][0], plane.area.bottom + 9],
    ...points,
    [plane.area.right, points[points.length - 1][1]],
  ];
  group.append(draw("path", { class: "steps", d: line(whole, true), "clip-path": "url(#plane-clip)" }));
}

function drawTests(study, plane, group) {
  for (const point of study.front) {
    if (point.test === null) continue;
    const [x, y] = [plane.x(sizeOf(study, point)), plane.y(point.test)];
    if (within(plane.area, x, y)) group.append(diamond(x, y, 4.2, "tested"));
  }
}

/** What fresh seeds say: the mean validation accuracy at the mean size, with its standard deviation. */
function drawConfirmed(study, plane, group) {
  for (const { confirmed } of study.front) {
    if (!confirmed) continue;
    const { mean, standard_deviation: deviation } = confirmed.validation_accuracy;
    const x = plane.x(confirmed.parameters.mean);
    const [y, reach] = [plane.y(mean), plane.y(mean - (deviation ?? 0)) - plane.y(mean)];
    if (!within(plane.area, x, y)) continue;
    const low = Math.min(plane.area.bottom, y + reach);
    group.append(draw("path", { class: "whisker", d: `M${x - 4},${y}h8M${x},${y - reach}V${low}` }));
  }
}

/** The way of the chosen trial through the plane. */
function drawTrace(state, plane) {
  const { study, trial } = state.chosen ?? {};
  if (study === undefined) return;
  const life = state.studies[study].trials[trial];
  const way = life.parameters.map((size, epoch) => {
    const accuracy = life.validation[epoch];
    return [plane.x(size), accuracy === null ? null : plane.y(accuracy)];
  });
  plane.area.svg.append(draw("path", { class: "trace", d: line(way), "clip-path": "url(#plane-clip)" }));
}

/** The front's points as buttons, of which Tab meets one and the arrow keys all. */
function drawPoints(state, study, index, plane) {
  const group = draw("g", {
    class: `study-${index % 7}`,
    role: "group",
    "aria-label": `Front of ${study.name}`,
  });
  const shown = study.front.filter((point) =>
    within(plane.area, plane.x(sizeOf(study, point)), plane.y(accuracyOf(study, point))),
  );
  const buttons = shown.map((point) => {
    const [x, y] = [plane.x(sizeOf(study, point)), plane.y(accuracyOf(study, point))];
    const chosen = isChosen(state, index, point);
    const button = draw("g", {
      class: `point${chosen ? " chosen" : ""}`,
      role: "button",
      tabindex: "-1",
      "aria-pressed": String(chosen),
      "aria-label": pointLabel(study, point),
      "data-key": `${index}/${point.id}`,
      focus: () => {
        if (button.matches(":focus-visible"))
          showTip(pointWords(study, point.trialIndex, point.epoch), ...inWindow(plane.area.svg, x, y));
      },
      blur: hideTip,
    });
    if (point.picks.includes("knee")) button.append(draw("circle", { class: "knee", cx: x, cy: y, r: 9 }));
    button.append(
      draw("circle", { class: "ring", cx: x, cy: y, r: 8 }),
      mark(sparsityOf(study, point), x, y, 4.6, "mark"),
    );
    return button;
  });
  const start = Math.max(
    0,
    shown.findIndex((point) => isChosen(state, index, point)),
  );
  buttons[start]?.setAttribute("tabindex", "0");
  group.addEventListener("keydown", (event) => walk(state, event, buttons, shown, index));
  const knees = shown.filter((point) => point.picks.includes("knee"));
  group.append(...buttons, ...knees.map((point) => kneeNote(study, point, plane)));
  plane.area.svg.append(group);
}

/** What stands beside the knee. It is no part of the point's button, whose middle is the point. */
function kneeNote(study, point, { area, x, y }) {
  const [left, top] = [x(sizeOf(study, point)), y(accuracyOf(study, point))];
  const flip = left > area.right - 110;
  return draw(
    "text",
    { class: "note", x: flip ? left - 13 : left + 13, y: top + 16, "text-anchor": flip ? "end" : "start" },
    `knee: ${count(sizeOf(study, point))}`,
  );
}

function drawFrontLegend(state) {
  const entries = [];
  const several = state.studies.length > 1;
  state.studies.forEach((study, index) => {
    for (const [method, sparsity] of Object.entries(study.methods)) {
      const picture = draw(
        "g",
        { class: `study-${index % 7} point` },
        draw("path", { class: "steps", d: "M0,7h22" }),
        mark(sparsity, 11, 7, 4.6, "mark"),
      );
      entries.push(
        entry(picture, `${several ? study.name : "front, validation"}: ${method} (${SPARSITIES[sparsity]})`),
      );
    }
  });
  const first = draw("g", { class: `study-0${several ? "" : " only"}` });
  if (state.studies.some((study) => study.front.some((point) => point.test !== null))) {
    entries.push(
      entry(draw("g", { class: first.getAttribute("class") }, diamond(11, 7, 4.2, "tested")), "test"),
    );
  }
  if (state.studies.some((study) => study.front.some((point) => point.confirmed))) {
    entries.push(
      entry(draw("path", { class: "whisker", d: "M7,7h8M11,2v10" }), "fresh seeds, mean ± deviation"),
    );
  }
  entries.push(entry(draw("path", { class: "cloud", d: "M4,7h0M11,4h0M18,9h0" }), "every epoch, dominated"));
  const limited = state.studies.find((study) => study.limits);
  if (limited)
    entries.push(
      entry(
        draw("path", { class: "cloud infeasible", d: "M9,5l4,4m0-4l-4,4" }),
        `outside the limits: ${limited.limits}`,
      ),
    );
  if (state.chosen)
    entries.push(entry(draw("path", { class: "trace", d: "M0,10l8-6l6,3l8-4" }), "the chosen trial's way"));
  byId("front-legend").replaceChildren(...entries);
}
