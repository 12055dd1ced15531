// Tables: the front with its picks, all trials, importances, and the facts that a study is repeated by.

function drawFrontTable(state) {
  const study = state.studies[state.current];
  const confirmed = study.front.some((point) => point.confirmed);
  const headings = [
    "id",
    "test",
    ...(confirmed ? ["test, fresh seeds (%)"] : []),
    "validation",
    ...(confirmed ? ["validation, fresh seeds (%)"] : []),
    "parameters",
    "weights",
    "MACs",
    "bytes",
    "pick",
  ];
  const rows = study.front.map((point) => frontRow(state, study, point, confirmed));
  byId("front-table").replaceChildren(
    html(
      "table",
      {},
      html(
        "thead",
        {},
        html(
          "tr",
          {},
          headings.map((words) =>
            html("th", { scope: "col", class: words === "pick" ? "words" : null }, words),
          ),
        ),
      ),
      html("tbody", {}, rows),
    ),
  );
  const note = [
    "Validation accuracy chose these points, and the best of many is too good: believe the test column",
    confirmed ? " and the fresh seeds." : `, or train again: gnap-search confirm ${study.name}.`,
  ];
  if (study.front.some((point) => point.picks.includes("one standard error")))
    note.push(
      " One standard error: the smallest network whose validation accuracy lies within it of the best.",
    );
  byId("front-note").textContent = note.join("");
}

function frontRow(state, study, point, confirmed) {
  const trial = study.trials[point.trialIndex];
  const spreads = (key) =>
    confirmed ? [html("td", {}, point.confirmed ? spread(point.confirmed[key], hundredths) : "-")] : [];
  const button = html(
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
  return html(
    "tr",
    { class: isChosen(state, state.current, point) ? "chosen" : null },
    html("td", {}, button),
    html("td", {}, percent(point.test)),
    ...spreads("test_accuracy"),
    html("td", {}, percent(accuracyOf(study, point))),
    ...spreads("validation_accuracy"),
    ...[sizeOf(study, point), trial.weights[point.epoch - 1], trial.macs[point.epoch - 1], point.bytes].map(
      (number) => html("td", {}, count(number)),
    ),
    html(
      "td",
      { class: "words" },
      point.picks.map((pick) => html("span", { class: "pick" }, pick)),
    ),
  );
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
    place.replaceChildren(html("p", { class: "hint" }, "Known from ten finished trials of a search on."));
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
