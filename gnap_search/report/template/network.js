// Network: a point's layers as they stand, each as a grid of its kernels, the darker the more of it is alive.

const LARGEST = 168; // height and width of a picture at most, in pixels
const CELL = 9; // of one kernel at most

function drawNetwork(state) {
  const study = state.studies[state.current];
  const known = study.front.filter((point) => study.networks[point.id]);
  const place = byId("network");
  if (!known.length) {
    byId("network-tools").replaceChildren();
    const missing = "The networks of this front are not in its folder, or cannot be read.";
    place.replaceChildren(html("p", { class: "hint" }, missing));
    return;
  }
  const shown =
    known.find((point) => point.id === state.network) ??
    known.find((point) => point.picks.includes("knee")) ??
    known[0];
  byId("network-tools").replaceChildren(networkMenu(state, study, known, shown));
  place.replaceChildren(...study.networks[shown.id].map(layerFigure), alive(study.networks[shown.id]));
}

function networkMenu(state, study, known, shown) {
  const options = known.map((point) =>
    html("option", { value: point.id, selected: point === shown ? "" : null }, pointLabel(study, point)),
  );
  const menu = html(
    "select",
    {
      id: "network-choice",
      change: () => {
        state.network = menu.value;
        drawNetwork(state);
      },
    },
    ...options,
  );
  return html("label", {}, "Network ", menu);
}

function layerFigure(layer) {
  const [rows, columns] = [layer.picture.length, layer.picture[0]?.length ?? 0];
  const size = clamp(Math.floor(LARGEST / Math.max(rows, columns, 1)), 2, CELL);
  const paths = Array.from({ length: 10 }, () => "");
  layer.picture.forEach((row, y) =>
    [...row].forEach((digit, x) => {
      paths[Number(digit)] += `M${x * size},${y * size}h${size}v${size}h${-size}z`;
    }),
  );
  const [width, height] = [columns * size, rows * size];
  const svg = draw(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": `${layer.live} of ${layer.weights} weights alive`,
    },
    paths
      .slice(1)
      .map((d, shade) =>
        d ? draw("path", { class: `cell shade-${shade + 1}`, d, "shape-rendering": "crispEdges" }) : null,
      ),
  );
  return html(
    "figure",
    { class: "layer" },
    svg,
    html(
      "figcaption",
      {},
      html("strong", {}, layer.name),
      `${layer.kind}, ${layer.inputs} to ${layer.outputs}`,
      html("br"),
      `${count(layer.live)} of ${count(layer.weights)} alive (${Math.round((100 * layer.live) / Math.max(1, layer.weights))} %)`,
      meter(layer.live / Math.max(1, layer.weights)),
    ),
  );
}

function alive(layers) {
  const [live, all] = ["live", "weights"].map((key) => layers.reduce((sum, layer) => sum + layer[key], 0));
  return html(
    "p",
    { class: "hint" },
    `Outputs are rows, inputs are columns, one cell is one kernel: blank where all of it is zero. In all ${count(live)} of ${count(all)} weights are alive.`,
  );
}

function meter(share) {
  const bar = html("div");
  bar.style.width = `${100 * clamp(share, 0, 1)}%`;
  return html("div", { class: "meter", "aria-hidden": "true" }, bar);
}
