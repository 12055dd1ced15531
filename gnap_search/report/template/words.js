// Words: numbers as people read them, as the tables of the command line have them.

function count(number) {
  return number === null || number === undefined ? "-" : Math.round(number).toLocaleString("en-US");
}

/** A size tick in few characters: `500`, `2k`, `1M`. */
function short(number) {
  for (const [size, prefix] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (number >= size) return `${Number((number / size).toPrecision(3))}${prefix}`;
  }
  return String(Number(number.toPrecision(3)));
}

function percent(share) {
  return share === null || share === undefined ? "-" : `${(100 * share).toFixed(2)} %`;
}

function percentTick(share) {
  return `${Number((100 * share).toFixed(3))} %`;
}

function value(written) {
  if (written === undefined || written === null) return "-";
  if (typeof written !== "number") return String(written);
  if (Number.isInteger(written)) return String(written);
  return written !== 0 && Math.abs(written) < 1e-3
    ? written.toExponential(2)
    : String(Number(written.toPrecision(4)));
}

function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function spread(told, format) {
  const { mean, standard_deviation: deviation } = told;
  return format(mean) + (deviation === null ? "" : ` ± ${format(deviation)}`);
}

function hundredths(share) {
  return (100 * share).toFixed(2);
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
