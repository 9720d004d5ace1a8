/** A small line without axes, for tiles. */

export function Spark({ values, label }: { values: number[]; label: string }) {
  const most = Math.max(...values, 1e-12);
  const points = values.map((value, at) => `${(at / Math.max(1, values.length - 1)) * 100},${28 - (value / most) * 26}`).join(" ");
  return <svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label={label}><polyline points={points} vector-effect="non-scaling-stroke" /></svg>;
}
