// Bars, drawn as SVG. Beside each chart stands a table with the same numbers.

import { draw, el } from "./dom.js";

const WIDTH = 900;
const HEIGHT = 160;
const LABEL_SPACE = 22;

/** Vertical bars of [label, value]; `text(value)` writes a value. */
export function bars(points, text, label) {
  const most = Math.max(...points.map(([, value]) => value ?? 0), 0);
  const step = WIDTH / Math.max(points.length, 1);
  const every = Math.ceil(points.length / 12);
  const drawn = points.flatMap(([name, value], index) => {
    const height = most > 0 ? ((value ?? 0) / most) * (HEIGHT - 10) : 0;
    const x = index * step + step * 0.12;
    const bar = draw("rect", { class: "bar", x, width: step * 0.76, y: HEIGHT - height, height: Math.max(height, value ? 2 : 0), rx: 3 });
    bar.append(draw("title", {}, `${name}: ${text(value)}`));
    const caption = index % every === 0 && draw("text", { class: "axis", x: index * step + step / 2, y: HEIGHT + 16, "text-anchor": "middle" }, name);
    return [bar, caption];
  });
  return el("figure", { class: "chart" },
    draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + LABEL_SPACE}`, role: "img", "aria-label": label },
      draw("line", { class: "axis-line", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), drawn),
    el("figcaption", { class: "quiet" }, `${label}; the highest is ${text(most)}.`));
}

/** A bar in a table's cell; `limit` says that the end of it is a limit, to which it comes near. */
export function meter(value, most, { limit = false } = {}) {
  const share = most > 0 ? Math.min(1, (value ?? 0) / most) : 0;
  return draw("svg", { class: `meter ${limit && share >= 0.9 ? "high" : ""}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "meter-back", width: 100, height: 8, rx: 2 }),
    draw("rect", { class: "meter-bar", width: Math.max(share * 100, share ? 1 : 0), height: 8, rx: 2 }));
}
