// Page: what is chosen, and what follows from it.

/** Read the dossier and draw all of it; the knee's trial is the first that is shown. */
function begin() {
  const dossier = JSON.parse(byId("dossier").textContent);
  for (const study of dossier.studies) {
    const numbers = new Map(study.trials.map((trial, index) => [trial.trial, index]));
    for (const point of study.front) point.trialIndex = numbers.get(point.trial);
  }
  const state = {
    studies: dossier.studies,
    current: 0,
    chosen: null,
    network: null,
    everything: false,
    cost: "seconds",
    order: { by: "trial", down: false },
    narrow: false,
  };
  const knee = state.studies[0].front.find((point) => point.picks.includes("knee"));
  state.chosen = { study: 0, trial: knee.trialIndex, epoch: knee.epoch };
  byId("footer").textContent = `Written ${dossier.written} by gnap-search ${dossier.version}.`;
  measure(state);
  drawTools(state);
  drawHead(state);
  drawFront(state);
  drawLife(state);
  // What is seen first is painted before the rest is drawn.
  requestAnimationFrame(() =>
    setTimeout(() => {
      drawProgress(state);
      drawStudy(state);
      follow(state);
      document.body.dataset.drawn = "whole";
    }),
  );
}

function measure(state) {
  state.narrow = document.documentElement.clientWidth < 640;
}

function drawTools(state) {
  choice(byId("front-tools"), { front: "around the front", everything: "all points" }, "front", (key) => {
    state.everything = key === "everything";
    drawFront(state);
  });
  const timed = state.studies.some((study) => study.progress.seconds[study.progress.seconds.length - 1] > 0);
  state.cost = timed ? "seconds" : "macs";
  choice(byId("progress-tools"), COSTS, state.cost, (key) => {
    state.cost = key;
    drawProgress(state);
  });
  if (state.studies.length < 2) return;
  byId("studies").hidden = false;
  choice(
    byId("studies"),
    Object.fromEntries(state.studies.map((study, index) => [index, study.name])),
    "0",
    (key) => {
      state.current = Number(key);
      state.network = null;
      drawStudy(state);
    },
  );
}

function drawAll(state) {
  measure(state);
  drawFront(state);
  drawLife(state);
  drawProgress(state);
  drawStudy(state);
}

/** All that belongs to one study at a time. */
function drawStudy(state) {
  drawHead(state);
  drawFrontTable(state);
  drawNetwork(state);
  drawParallel(state);
  drawImportance(state);
  drawTrials(state);
  drawFacts(state);
}

function drawHead(state) {
  const study = state.studies[state.current];
  const best = study.front.find((point) => point.picks.includes("best"));
  const knee = study.front.find((point) => point.picks.includes("knee"));
  const spare = study.front.find((point) => point.picks.includes("one standard error"));
  const shown = (point) => [percent(accuracyOf(study, point)), `${count(sizeOf(study, point))} parameters`];
  const tiles = [
    ["hypervolume", study.hypervolume.toFixed(4), plural(study.front.length, "front point")],
    ["best, validation", ...shown(best)],
    ["knee, validation", ...shown(knee)],
    ...(spare ? [["one standard error", ...shown(spare)]] : []),
    ["trials", count(study.trials.length), study.facts.cost.trials],
    ["training time", study.facts.cost["training time"].split(",")[0], "summed over trials"],
  ];
  byId("about").textContent = study.about + (study.state ? `. The study is ${study.state}.` : ".");
  byId("tiles").replaceChildren(
    ...tiles.map(([name, number, note]) =>
      html("div", {}, html("dt", {}, name), html("dd", {}, number, html("small", {}, note))),
    ),
  );
}

/** Show a trial's life, and its network where the point stands on a front. */
function choose(state, study, trial, epoch) {
  const other = state.current !== study;
  state.chosen = { study, trial, epoch };
  state.current = study;
  const point = state.studies[study].front.find((one) => one.trialIndex === trial && one.epoch === epoch);
  if (point) state.network = point.id;
  if (other) pressStudy(state);
  drawChosen(state);
}

function pressStudy(state) {
  [...byId("studies").children].forEach((button, index) =>
    button.setAttribute("aria-pressed", String(index === state.current)),
  );
  drawHead(state);
  drawImportance(state);
  drawFacts(state);
}

/** Draw anew what shows the choice; the keyboard stays where it was. */
function drawChosen(state) {
  const key = document.activeElement?.dataset.key;
  drawFront(state);
  drawLife(state);
  drawFrontTable(state);
  drawNetwork(state);
  drawParallel(state);
  drawTrials(state);
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Escape lets go of what is chosen; a window of another width is drawn anew. */
function follow(state) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hideTip();
    if (!state.chosen) return;
    state.chosen = null;
    drawChosen(state);
  });
  let width = document.documentElement.clientWidth;
  window.addEventListener("resize", () =>
    requestAnimationFrame(() => {
      if (document.documentElement.clientWidth === width) return;
      width = document.documentElement.clientWidth;
      drawAll(state);
    }),
  );
  document.addEventListener("scroll", hideTip, { passive: true });
  byId("trials-details").addEventListener("toggle", () => drawTrials(state));
}
