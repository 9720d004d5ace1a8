/** A chart over time with axes, grid, legend, hover and zoom, drawn by uPlot. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { isDark, theme } from "../lib/theme";
import { stacked } from "../lib/series";
import { useSignal } from "../lib/store";

export interface Series {
  name: string;
  values: number[];
}

interface ChartProps {
  times: number[];
  series: Series[];
  format: (value: number) => string;
  label: string;
  step: "hour" | "day";
  /** Called with the epoch seconds that were dragged over. */
  zoom?: (from: number, to: number) => void;
  made?: (canvas: HTMLCanvasElement) => void;
}

const COLOURS = ["#4f6df5", "#16a394", "#e08a1e", "#c84bb2", "#6b9e23", "#d6493f", "#7a68d8", "#8b95a7"];
export const colourOf = (at: number): string => COLOURS[at % COLOURS.length] ?? "#888";

export function Chart({ times, series, format, label, step, zoom, made }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chosen = useSignal(theme);
  useEffect(() => {
    const node = place.current;
    if (!node) return;
    const plot = new uPlot(optionsOf(node, { times, series, format, label, step, zoom }), dataOf(times, series), node);
    made?.(plot.ctx.canvas);
    const resize = new ResizeObserver(() => plot.setSize({ width: node.clientWidth, height: heightOf(node) }));
    resize.observe(node);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [times, series, chosen]);
  return <div class="plot" ref={place} role="img" aria-label={label} />;
}

const heightOf = (node: HTMLElement): number => (node.clientWidth < 600 ? 240 : 320);

/** uPlot draws the later series over the earlier: the highest sums come first. */
function dataOf(times: number[], series: Series[]): uPlot.AlignedData {
  return [times, ...stacked(series.map((one) => one.values)).reverse()];
}

function optionsOf(node: HTMLElement, { series, format, step, zoom }: ChartProps): uPlot.Options {
  const dark = isDark();
  const axis = { stroke: dark ? "#9aa4b8" : "#5b6475", grid: { stroke: dark ? "#2e3545" : "#dfe3ea", width: 1 }, ticks: { show: false } };
  const bars = uPlot.paths.bars?.({ size: [0.8, 48] });
  const drawn = series.map((one, at) => ({ one, at })).reverse();
  return {
    width: node.clientWidth, height: heightOf(node), tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "UTC"),
    cursor: { drag: { x: true, y: false, setScale: false }, y: false },
    scales: { x: { time: true, range: (_plot, low, high) => { const half = step === "hour" ? 1800 : 43_200; return [low - half, high + half]; } }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [{ ...axis, space: 70 }, { ...axis, size: 72, values: (_plot, ticks) => ticks.map(format) }],
    series: [
      { label: step === "hour" ? "Hour (UTC)" : "Day (UTC)", value: (_plot, second) => (second ? new Date(second * 1000).toISOString().slice(0, step === "hour" ? 16 : 10).replace("T", " ") : "") },
      ...drawn.map(({ one, at }) => ({
        label: one.name, fill: colourOf(at), stroke: colourOf(at), width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}),
        value: (_plot: uPlot, _value: number | null, _series: number, index: number | null) => (index === null ? "" : format(one.values[index] ?? 0)),
      })),
    ],
    hooks: {
      setSelect: [(plot) => {
        if (!zoom || plot.select.width < 8) return;
        zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"));
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  };
}
