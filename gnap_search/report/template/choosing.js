// Choosing: how a point of the plane is pointed at, reached by the keyboard, and chosen.

const REACH = 22; // how near a pointer must come, in units of the drawing

function walk(state, event, buttons, shown, index) {
  const here = buttons.indexOf(document.activeElement);
  if (here < 0) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    choose(state, index, shown[here].trialIndex, shown[here].epoch);
    return;
  }
  const next = stepped(event.key, here, buttons.length);
  if (next === null) return;
  event.preventDefault();
  buttons[here].setAttribute("tabindex", "-1");
  buttons[next].setAttribute("tabindex", "0");
  buttons[next].focus();
}

/** Pointing says what is nearest, clicking chooses it; points of a front come before others. */
function pointAtFront(state, plane) {
  const { svg } = plane.area;
  const ring = draw("circle", { class: "hover", r: 7, visibility: "hidden" });
  svg.append(ring);
  const standing = new Set(
    state.studies.flatMap((study, index) => study.front.map((point) => `${index}/${point.id}`)),
  );
  for (const place of plane.places) {
    place.front = standing.has(
      `${place.study}/${state.studies[place.study].trials[place.trial].trial}-${place.epoch}`,
    );
  }
  svg.addEventListener("pointermove", (event) => {
    const found = nearestPlace(plane.places, ...placeIn(svg, event));
    svg.style.cursor = found ? "pointer" : "default";
    ring.setAttribute("visibility", found ? "visible" : "hidden");
    if (!found) {
      hideTip();
      return;
    }
    ring.setAttribute("cx", found.x);
    ring.setAttribute("cy", found.y);
    showTip(pointWords(state.studies[found.study], found.trial, found.epoch), event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", () => {
    ring.setAttribute("visibility", "hidden");
    hideTip();
  });
  svg.addEventListener("click", (event) => {
    const found = nearestPlace(plane.places, ...placeIn(svg, event));
    if (found) choose(state, found.study, found.trial, found.epoch);
  });
}

function nearestPlace(places, x, y) {
  let [best, least] = [null, REACH];
  for (const place of places) {
    const distance = Math.hypot(place.x - x, place.y - y) - (place.front ? 6 : 0);
    if (distance < least) [best, least] = [place, distance];
  }
  return best;
}
