// Progress: the hypervolume that a study had reached, against what it had spent.

const COSTS = { seconds: "training time", epochs: "epochs", macs: "multiply-accumulates" };
const COST_TITLES = {
  seconds: "training time, summed over trials",
  epochs: "epochs, summed over trials",
  macs: "multiply-accumulates an image, summed over epochs",
};
const COST_WORDS = { seconds: timeTick, epochs: count, macs: short };

function drawProgress(state) {
  const area = canvas(
    byId("progress"),
    state.narrow ? 240 : 280,
    { left: 48, right: 16, top: 26, bottom: 42 },
    "Hypervolume over cost",
  );
  const costs = state.studies.map((study) => study.progress[state.cost]);
  const volumes = state.studies.map((study) => study.progress.hypervolume);
  const most = Math.max(...costs.flat()) || 1;
  const x = linear([0, most], [area.left, area.right]);
  if (state.cost === "seconds") x.ticks = (number) => timeTicks(most, number);
  const y = linear(volumeLimits(costs, volumes, most), [area.bottom, area.top]);
  axes(
    area,
    { scale: x, format: COST_WORDS[state.cost], title: COST_TITLES[state.cost] },
    { scale: y, format: value, title: "hypervolume" },
  );
  const rows = [];
  state.studies.forEach((study, index) => {
    const points = costs[index].map((cost, row) => [x(cost), Math.min(area.bottom, y(volumes[index][row]))]);
    area.svg.append(
      draw("g", { class: `study-${index % 7}` }, draw("path", { class: "steps", d: line(points, true) })),
    );
    costs[index].forEach((cost, row) => rows.push({ index, row, place: x(cost) }));
  });
  rows.sort((one, other) => one.place - other.place);
  crosshair(
    area,
    rows.map((one) => one.place),
    (number) => progressWords(state, rows[number]),
    "Hypervolume over cost; arrow keys go from one front point to the next",
  );
}

/** Where hypervolumes begin and end: the first leaps are cut off, so that what comes later can be told apart. */
function volumeLimits(costs, volumes, most) {
  const top = Math.max(...volumes.flat()) || 1;
  const early = costs.map((column, index) =>
    Math.max(...volumes[index].filter((_, row) => column[row] <= most / 10)),
  );
  const low = Math.max(0, top - Math.max(0.01, 2.5 * (top - Math.min(...early))));
  return [low, top + 0.06 * (top - low)];
}

/** Round times from 0 to so many seconds. */
function timeTicks(most, number) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
  const step = steps.find((one) => most / one <= number) ?? 86400 * Math.ceil(most / 86400 / number);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

/** A tick's time as it is: `50 s`, `1:10 min`, `2 min`, `1 h 30 min`. */
function timeTick(seconds) {
  if (seconds < 60 || seconds % 60 === 0) return duration(seconds);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}

function progressWords(state, { index, row }) {
  const { progress, name } = state.studies[index];
  const entered = progress.point[row];
  const heading = entered ? `${entered} enters the front` : row ? "the end" : "the beginning";
  return {
    heading: state.studies.length > 1 ? `${name}: ${heading}` : heading,
    pairs: [
      ["hypervolume", progress.hypervolume[row].toFixed(4)],
      ["training time", duration(progress.seconds[row])],
      ["epochs", count(progress.epochs[row])],
      ["MACs an image", short(progress.macs[row])],
    ],
  };
}
