// Point: a trial at one of its epochs, and what is said of it.

const SPARSITIES = { structured: "structured, square", unstructured: "unstructured, round" };

function sparsityOf(study, point) {
  return study.methods[study.trials[point.trialIndex].method];
}

function sizeOf(study, point) {
  return study.trials[point.trialIndex].parameters[point.epoch - 1];
}

function accuracyOf(study, point) {
  return study.trials[point.trialIndex].validation[point.epoch - 1];
}

function isChosen(state, index, point) {
  const { study, trial, epoch } = state.chosen ?? {};
  return study === index && trial === point.trialIndex && epoch === point.epoch;
}

function pointLabel(study, point) {
  const picks = point.picks.length ? `, ${point.picks.join(", ")}` : "";
  return `${point.id}: ${percent(accuracyOf(study, point))} validation, ${count(sizeOf(study, point))} parameters${picks}`;
}

/** What is said of a trial at an epoch. */
function pointWords(study, trialIndex, epoch) {
  const trial = study.trials[trialIndex];
  const point = study.front.find((one) => one.trialIndex === trialIndex && one.epoch === epoch);
  const method = Object.keys(study.methods).length > 1 ? [["method", trial.method]] : [];
  const pairs = [...method, ["validation", percent(trial.validation[epoch - 1])]];
  if (point && point.test !== null) pairs.push(["test", percent(point.test)]);
  if (point?.confirmed)
    pairs.push(["fresh seeds", `${spread(point.confirmed.validation_accuracy, hundredths)} %`]);
  pairs.push(["parameters", count(trial.parameters[epoch - 1])]);
  for (const cost of new Set(["macs", ...otherCosts(study)])) {
    pairs.push([COST_NAMES[cost], count(trial[cost][epoch - 1])]);
  }
  for (const { name } of study.settings)
    if (name in trial.settings) pairs.push([name, value(trial.settings[name])]);
  const standing = trial.infeasible.includes(epoch)
    ? "outside the limits"
    : point
      ? ["on the front", ...point.picks].join(", ")
      : "dominated";
  return { heading: `trial ${trial.trial}, epoch ${epoch}: ${standing}`, pairs };
}

const COST_NAMES = { macs: "MACs", training_macs: "training MACs" };

/** What a study wants small besides parameters. */
function otherCosts(study) {
  return study.costs.filter((cost) => cost !== "parameters");
}
