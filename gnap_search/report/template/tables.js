// Tables: the front with its picks, all trials, importances, and the facts that a study is repeated by.

function drawFrontTable(state) {
  const study = state.studies[state.current];
  const confirmed = study.front.some((point) => point.confirmed);
  const columns = frontColumns(study, confirmed);
  const head = columns.map(({ name, words }) =>
    html("th", { scope: "col", class: words ? "words" : null }, name),
  );
  const rows = study.front.map((point) =>
    html(
      "tr",
      { class: isChosen(state, state.current, point) ? "chosen" : null },
      html("td", {}, showButton(state, study, point)),
      columns.slice(1).map(({ of, words }) => html("td", { class: words ? "words" : null }, of(point))),
    ),
  );
  byId("front-table").replaceChildren(
    html("table", {}, html("thead", {}, html("tr", {}, head)), html("tbody", {}, rows)),
  );
  byId("front-note").textContent = frontNote(study, confirmed);
}

function frontColumns(study, confirmed) {
  const at = (column) => (point) => count(study.trials[point.trialIndex][column][point.epoch - 1]);
  const fresh = (name, key) => ({
    name: `${name}, fresh seeds (%)`,
    of: (point) => (point.confirmed ? spread(point.confirmed[key], hundredths) : "-"),
  });
  return [
    { name: "id" },
    { name: "test", of: (point) => percent(point.test) },
    ...(confirmed ? [fresh("test", "test_accuracy")] : []),
    { name: "validation", of: (point) => percent(accuracyOf(study, point)) },
    ...(confirmed ? [fresh("validation", "validation_accuracy")] : []),
    { name: "parameters", of: at("parameters") },
    { name: "weights", of: at("weights") },
    ...[...new Set(["macs", ...otherCosts(study)])].map((cost) => ({ name: COST_NAMES[cost], of: at(cost) })),
    { name: "bytes", of: (point) => count(point.bytes) },
    ...(Object.keys(study.methods).length > 1
      ? [{ name: "method", words: true, of: (point) => study.trials[point.trialIndex].method }]
      : []),
    {
      name: "pick",
      words: true,
      of: (point) => point.picks.map((pick) => html("span", { class: "pick" }, pick)),
    },
  ];
}

function showButton(state, study, point) {
  return html(
    "button",
    {
      type: "button",
      class: "plain",
      "data-key": `row/${point.id}`,
      "aria-label": `Show ${pointLabel(study, point)}`,
      click: () => choose(state, state.current, point.trialIndex, point.epoch),
    },
    point.id,
  );
}

function frontNote(study, confirmed) {
  const believe = confirmed
    ? "believe the test column and the fresh seeds."
    : `believe the test column, or train again: gnap-search confirm ${study.name}.`;
  const spare = study.front.some((point) => point.picks.includes("one standard error"))
    ? " One standard error: the smallest network whose validation accuracy lies within it of the best."
    : "";
  return `Validation accuracy chose these points, and the best of many is too good: ${believe}${spare}`;
}

/** Every trial, once they are asked for; a click on a heading orders them, and another one the other way round. */
function drawTrials(state) {
  const study = state.studies[state.current];
  byId("trials-summary").textContent =
    `${plural(study.trials.length, "trial")}, with settings, endings and last accuracies`;
  if (!byId("trials-details").open) return;
  const last = (column) => (trial) => column(trial)[trial.parameters.length - 1] ?? null;
  const columns = [
    { name: "trial", of: (trial) => trial.trial, text: String },
    ...(Object.keys(study.methods).length > 1
      ? [{ name: "method", of: (trial) => trial.method, text: String }]
      : []),
    { name: "ending", of: (trial) => trial.ending, text: (word) => word },
    { name: "epochs", of: (trial) => trial.parameters.length, text: count },
    { name: "validation", of: last((trial) => trial.validation), text: percent },
    { name: "parameters", of: last((trial) => trial.parameters), text: count },
    { name: "seconds", of: (trial) => trial.seconds, text: value },
    ...study.settings.map(({ name }) => ({ name, of: (trial) => trial.settings[name] ?? null, text: value })),
  ];
  const { by, down } = state.order;
  const column = columns.find(({ name }) => name === by) ?? columns[0];
  const ordered = study.trials
    .map((trial, number) => ({ trial, number }))
    .sort((one, other) => compared(column.of(one.trial), column.of(other.trial)) * (down ? -1 : 1));
  const head = columns.map(({ name }) =>
    html(
      "th",
      { scope: "col", "aria-sort": name === column.name ? (down ? "descending" : "ascending") : null },
      html(
        "button",
        {
          type: "button",
          class: "plain",
          "data-key": `order/${name}`,
          click: () => {
            state.order = { by: name, down: name === by && !down };
            drawTrials(state);
            byId("trials-table")
              .querySelector(`[data-key="order/${CSS.escape(name)}"]`)
              .focus();
          },
        },
        name,
      ),
    ),
  );
  const body = ordered.map(({ trial, number }) =>
    html(
      "tr",
      {
        class: state.chosen?.study === state.current && state.chosen.trial === number ? "chosen" : null,
        title: trial.reason,
      },
      columns.map(({ name, of, text }) =>
        html(
          "td",
          {},
          name === "trial"
            ? html(
                "button",
                {
                  type: "button",
                  class: "plain",
                  "data-key": `trial/${number}`,
                  click: () => choose(state, state.current, number, trial.parameters.length),
                },
                text(of(trial)),
              )
            : text(of(trial)),
        ),
      ),
    ),
  );
  byId("trials-table").replaceChildren(
    html("table", {}, html("thead", {}, html("tr", {}, head)), html("tbody", {}, body)),
  );
}

function compared(one, other) {
  if (one === null || other === null) return (one === null) - (other === null);
  return typeof one === "number" && typeof other === "number"
    ? one - other
    : String(one).localeCompare(String(other));
}

function drawImportance(state) {
  const { importances } = state.studies[state.current];
  const place = byId("importance");
  if (!Object.keys(importances).length) {
    place.replaceChildren(html("p", { class: "hint" }, "Known once a search has ten trials trained to their last epoch."));
    return;
  }
  const parts = Object.entries(importances).map(([objective, shares]) =>
    html(
      "div",
      {},
      html("h3", {}, `for ${objective}`),
      html(
        "div",
        { class: "bars" },
        Object.entries(shares).flatMap(([name, share]) => [
          html("span", {}, name),
          meter(share),
          html("span", {}, `${Math.round(100 * share)} %`),
        ]),
      ),
    ),
  );
  place.replaceChildren(
    ...parts,
    html(
      "p",
      { class: "hint" },
      "Each setting's share in what puts a trial into the better half; with few trials a rough guide.",
    ),
  );
}

function drawFacts(state) {
  const study = state.studies[state.current];
  const parts = Object.entries(study.facts).map(([heading, facts]) =>
    html(
      "div",
      {},
      html("h3", {}, heading),
      html(
        "dl",
        { class: "pairs" },
        Object.entries(facts).flatMap(([name, fact]) => [html("dt", {}, name), html("dd", {}, fact)]),
      ),
    ),
  );
  const file = study.file
    ? [
        html(
          "details",
          {},
          html("summary", {}, "study.toml: all that decides its results"),
          html("pre", {}, study.file),
        ),
      ]
    : [];
  byId("facts").replaceChildren(
    ...parts,
    html(
      "div",
      { class: "whole" },
      html("h3", {}, "command"),
      html("pre", { id: "command" }, study.command),
      ...file,
    ),
  );
}
