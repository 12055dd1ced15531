// Life: what a trial was at the end of each epoch: accuracy, loss, parameters and channels, one above the other.

const PANELS = { accuracy: 110, loss: 100, parameters: 110, channels: 110 }; // heights
const GAP = 30;

function drawLife(state) {
  const { study: index, trial: number } = state.chosen ?? {};
  const empty = index === undefined;
  for (const id of ["life-charts", "life-legend"]) if (empty) byId(id).replaceChildren();
  byId("life-title").textContent = empty ? "A trial's life" : lifeTitle(state, index, number);
  if (empty) {
    byId("life-about").textContent = "Choose a network on the front, or any other point, for its trial.";
    byId("life-events").textContent = "";
    return;
  }
  const study = state.studies[index];
  const trial = study.trials[number];
  byId("life-about").textContent = lifeAbout(study, trial);
  byId("life-events").textContent = lifeEvents(trial);
  if (!trial.parameters.length) {
    byId("life-charts").replaceChildren();
    byId("life-legend").replaceChildren();
    return;
  }
  drawPanels(state, study, trial);
  drawLifeLegend(trial);
}

function lifeTitle(state, index, number) {
  const study = state.studies[index];
  const name = state.studies.length > 1 ? ` of ${study.name}` : "";
  return `The life of trial ${study.trials[number].trial}${name}`;
}

function lifeAbout(study, trial) {
  const settings = study.settings
    .filter(({ name }) => name in trial.settings)
    .map(({ name }) => `${name} ${value(trial.settings[name])}`);
  const method = Object.keys(study.methods).length > 1 ? [`method ${trial.method}`] : [];
  const seed = trial.seed === null ? [] : [`seed ${trial.seed}`];
  return `${endingWords(study, trial)}. ${[...method, ...settings, ...seed].join(", ")}`;
}

function endingWords(study, trial) {
  const epochs = `${trial.parameters.length} of ${plural(trial.epochs, "epoch")}, ${duration(trial.seconds)}`;
  return {
    finished: `Trained to its end: ${epochs}`,
    stopped: `Stopped early, as others outdid it: ${epochs}`,
    failed: `Failed after ${epochs}: ${trial.reason}`,
    unfinished: `Not at its end yet: ${epochs}`,
  }[trial.ending];
}

/** The epochs at which channels were lost, as [epoch, how many]. */
function losses(trial) {
  const found = [];
  for (let change = 1; change < trial.widths.length; change += 1) {
    const [[, before], [epoch, after]] = [trial.widths[change - 1], trial.widths[change]];
    const lost = Object.keys(before).reduce(
      (sum, group) => sum + Math.max(0, before[group] - after[group]),
      0,
    );
    if (lost) found.push([epoch, lost]);
  }
  return found;
}

function lifeEvents(trial) {
  const lost = losses(trial);
  const grown = trial.grown.length ? `Grew after epoch ${listed(trial.grown)}.` : "Never grew.";
  const channels = lost.reduce((sum, [, number]) => sum + number, 0);
  const gone = lost.length
    ? ` Lost ${plural(channels, "channel")} whose weights had all gone, in epoch ${listed(lost.map(([epoch]) => epoch))}.`
    : "";
  return grown + gone;
}

function listed(numbers) {
  if (numbers.length === 1) return String(numbers[0]);
  if (numbers.length > 12) return `${numbers.slice(0, 10).join(", ")} and ${numbers.length - 10} more`;
  return `${numbers.slice(0, -1).join(", ")} and ${numbers[numbers.length - 1]}`;
}

function drawPanels(state, study, trial) {
  const names = Object.keys(PANELS).filter(
    (name) => name !== "channels" || Object.keys(trial.widths[0]?.[1] ?? {}).length,
  );
  const height = names.reduce((sum, name) => sum + PANELS[name] + GAP, 0) + 46;
  const area = canvas(
    byId("life-charts"),
    height,
    { left: 48, right: 12, top: 26, bottom: 38 },
    "A trial's life",
  );
  const epochs = trial.parameters.length;
  const x = linear([1, Math.max(2, study.epochs)], [area.left, area.right]);
  let top = area.top;
  for (const name of names) {
    const panel = { ...area, top, bottom: top + PANELS[name] };
    drawBands(trial, epochs, panel, x);
    drawGrowth(trial, panel, x, name);
    PAINTERS[name](study, trial, panel, x, name === names[names.length - 1]);
    top = panel.bottom + GAP;
  }
  const whole = { ...area, bottom: top - GAP };
  crosshair(
    whole,
    Array.from({ length: epochs }, (_, epoch) => x(epoch + 1)),
    (index) => lifeWords(study, trial, index + 1),
    `Trial ${trial.trial} over its epochs; arrow keys go from one to the next`,
  );
  if (state.chosen.epoch <= epochs) {
    const here = x(state.chosen.epoch);
    area.svg.append(draw("line", { class: "axis", x1: here, x2: here, y1: whole.top, y2: whole.bottom }));
  }
}

/** Phases as bands behind a panel. */
function drawBands(trial, epochs, panel, x) {
  trial.phases.forEach(([epoch, phase], index) => {
    const end = trial.phases[index + 1]?.[0] ?? epochs + 0.5;
    const [from, to] = [Math.max(panel.left, x(epoch - 0.5)), Math.min(panel.right, x(end - 0.5))];
    panel.svg.append(
      draw("rect", {
        class: `band ${phase}`,
        x: from,
        y: panel.top,
        width: Math.max(0, to - from),
        height: panel.bottom - panel.top,
      }),
    );
  });
}

function drawGrowth(trial, panel, x, name) {
  for (const epoch of trial.grown) {
    const here = x(Math.min(epoch + 0.5, trial.parameters.length));
    panel.svg.append(draw("line", { class: "grew", x1: here, x2: here, y1: panel.top, y2: panel.bottom }));
    if (name === "parameters")
      panel.svg.append(draw("path", { class: "grew-mark", d: `M${here},${panel.top + 1}l4.5,7h-9z` }));
  }
  if (name !== "parameters") return;
  for (const [epoch] of losses(trial)) {
    panel.svg.append(draw("path", { class: "lost-mark", d: `M${x(epoch)},${panel.bottom}l3.2-5.5h-6.4z` }));
  }
}

const PAINTERS = {
  accuracy(study, trial, panel, x, last) {
    const known = trial.validation.filter((one) => one !== null);
    const best = Math.max(...known);
    const low = Math.min(best - 0.005, Math.max(Math.min(...known), 1 - 8 * (1 - best)));
    const y = linear([low, Math.min(1, best + 0.05 * (best - low))], [panel.bottom, panel.top]);
    panelAxes(panel, x, y, percentTick, "validation accuracy", last);
    const kept = (one) => (one === null ? null : clamp(y(one), panel.top, panel.bottom));
    panel.svg.append(
      draw("path", {
        class: "first",
        d: line(trial.validation.map((one, epoch) => [x(epoch + 1), kept(one)])),
      }),
    );
    for (const point of study.front.filter((one) => study.trials[one.trialIndex] === trial)) {
      panel.svg.append(
        draw("circle", { class: "on-front", cx: x(point.epoch), cy: y(accuracyOf(study, point)), r: 4 }),
      );
    }
  },
  loss(study, trial, panel, x, last) {
    const all = [...trial.training_loss, ...trial.validation_loss].filter((one) => one !== null && one > 0);
    if (!all.length) {
      panelAxes(panel, x, linear([0, 1], [panel.bottom, panel.top]), value, "loss: not recorded", last);
      return;
    }
    const y = logarithmic([Math.min(...all) * 0.95, Math.max(...all) * 1.05], [panel.bottom, panel.top]);
    panelAxes(panel, x, y, value, "loss (nats), logarithmic", last);
    for (const [name, column] of [
      ["other", trial.training_loss],
      ["first", trial.validation_loss],
    ]) {
      panel.svg.append(
        draw("path", {
          class: name,
          d: line(column.map((one, epoch) => [x(epoch + 1), one === null || one <= 0 ? null : y(one)])),
        }),
      );
    }
  },
  parameters(study, trial, panel, x, last) {
    const y = logarithmic(
      [Math.max(1, Math.min(...trial.parameters)) * 0.93, Math.max(...trial.parameters, 2) * 1.07],
      [panel.bottom, panel.top],
    );
    panelAxes(panel, x, y, short, "parameters, logarithmic", last);
    panel.svg.append(
      draw("path", {
        class: "size",
        d: line(trial.parameters.map((one, epoch) => [x(epoch + 1), y(Math.max(1, one))])),
      }),
    );
  },
  channels(study, trial, panel, x, last) {
    const groups = Object.keys(trial.widths[0][1]);
    const most = Math.max(
      ...trial.widths.map(([, widths]) => groups.reduce((sum, group) => sum + (widths[group] ?? 0), 0)),
    );
    const y = linear([0, most || 1], [panel.bottom, panel.top]);
    panelAxes(panel, x, y, count, "channels, by group", last);
    const sums = trial.widths.map(() => 0);
    groups.forEach((group, index) => {
      const below = [...sums];
      trial.widths.forEach(([, widths], change) => {
        sums[change] += widths[group] ?? 0;
      });
      const edge = (heights) =>
        staircase(trial, heights).map(([epoch, height]) => [
          clamp(x(epoch), panel.left, panel.right),
          y(height),
        ]);
      panel.svg.append(
        draw("path", {
          class: `group group-${index % 6}`,
          d: `${line([...edge(sums), ...edge(below).reverse()])}z`,
        }),
      );
    });
  },
};

/** The corners of heights that hold from each change of widths to the next. */
function staircase(trial, heights) {
  return trial.widths.flatMap(([epoch], change) => {
    const end = trial.widths[change + 1]?.[0] ?? trial.parameters.length + 1;
    return [
      [epoch - 0.5, heights[change]],
      [end - 0.5, heights[change]],
    ];
  });
}

function panelAxes(panel, x, y, format, title, last) {
  axes(
    panel,
    { scale: x, format: last ? count : null, title: last ? "epoch" : null },
    { scale: y, format, title },
  );
}

function drawLifeLegend(trial) {
  const phases = [...new Set(trial.phases.map(([, phase]) => phase))];
  const entries = phases.map((phase) =>
    entry(draw("rect", { class: `band ${phase}`, width: 22, height: 14 }), phase),
  );
  entries.push(
    entry(draw("path", { class: "first", d: "M0,7h22" }), "validation"),
    entry(draw("path", { class: "other", d: "M0,7h22" }), "training"),
    entry(draw("circle", { class: "on-front", cx: 11, cy: 7, r: 4 }), "on the front"),
  );
  if (trial.grown.length)
    entries.push(entry(draw("path", { class: "grew-mark", d: "M11,3l4.5,7h-9z" }), "grew"));
  if (losses(trial).length)
    entries.push(entry(draw("path", { class: "lost-mark", d: "M11,4l3.2,5.5h-6.4z" }), "lost channels"));
  Object.keys(trial.widths[0]?.[1] ?? {}).forEach((group, index) => {
    entries.push(
      entry(draw("rect", { class: `group group-${index % 6}`, x: 4, width: 14, height: 14 }), group),
    );
  });
  byId("life-legend").replaceChildren(...entries);
}

function at(changes, epoch) {
  return changes.reduce((found, [from, what]) => (from <= epoch ? what : found), changes[0]?.[1]);
}

function lifeWords(study, trial, epoch) {
  const index = epoch - 1;
  const widths = Object.entries(at(trial.widths, epoch) ?? {}).map(([group, width]) => `${group} ${width}`);
  const pairs = [
    ["validation", percent(trial.validation[index])],
    ["loss", `${value(trial.validation_loss[index])}, training ${value(trial.training_loss[index])}`],
    ["parameters", count(trial.parameters[index])],
    ["MACs", count(trial.macs[index])],
  ];
  if (widths.length) pairs.push(["channels", widths.join(", ")]);
  const grew = trial.grown.includes(epoch) ? "then it grew" : "";
  return { heading: `epoch ${epoch}, ${at(trial.phases, epoch)}`, pairs, note: grew };
}
