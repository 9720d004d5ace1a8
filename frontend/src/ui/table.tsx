/** A table with sorting, keyboard and virtual rows: only the rows in sight are in the page. */

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Quiet } from "./kit";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ComponentChildren;
  /** The value that sorts; without it the column cannot be sorted. */
  sort?: (row: Row) => string | number | null | undefined;
  number?: boolean;
  /** CSS width of the column in a virtual table. */
  width?: string;
}

interface TableProps<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  empty: ComponentChildren;
  rowKey: (row: Row) => string | number;
  rowClass?: (row: Row) => string;
  /** Called with Enter or a click on a row. */
  open?: (row: Row) => void;
  /** Called when the end of the rows comes into sight. */
  more?: () => void;
  sorted?: string;
  onSort?: (text: string) => void;
  height?: string;
}

const ROW = 44;
const PLAIN = 60;

/** A table. More than 60 rows scroll in a frame of their own. `sorted` is a column's title, with "-" before it for descending. */
export function Table<Row>(props: TableProps<Row>) {
  const [own, setOwn] = useState("");
  const sorted = props.sorted ?? own;
  const rows = useMemo(() => inOrder(props.rows, props.columns, sorted), [props.rows, sorted, props.columns.length]);
  if (!rows.length) return <Quiet>{props.empty}</Quiet>;
  const sort = (title: string) => (props.onSort ?? setOwn)(sorted === title ? `-${title}` : sorted === `-${title}` ? "" : title);
  return <Grid {...props} rows={rows} sorted={sorted} sort={sort} />;
}

export function inOrder<Row>(rows: Row[], columns: Column<Row>[], sorted: string): Row[] {
  const down = sorted.startsWith("-");
  const value = columns.find((column) => column.title === (down ? sorted.slice(1) : sorted))?.sort;
  if (!value) return rows;
  const keyed = rows.map((row) => ({ row, key: value(row) }));
  keyed.sort((one, other) => compare(one.key, other.key) * (down ? -1 : 1));
  return keyed.map(({ row }) => row);
}

type Key = string | number | null | undefined;

function compare(one: Key, other: Key): number {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  return one < other ? -1 : 1;
}

function Grid<Row>({ label, columns, rows, rowKey, rowClass, open, more, sorted, sort, height = "min(70vh, 46rem)" }: TableProps<Row> & { sorted: string; sort: (title: string) => void }) {
  const frame = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(-1);
  const many = rows.length > PLAIN || Boolean(more);
  const virtual = useVirtual(frame, rows.length, many);
  const items = many ? virtual.getVirtualItems() : rows.map((_, index) => ({ index, start: 0, key: index }));
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= rows.length - 20) more();
  }, [last, rows.length]);
  const template = columns.map((column) => column.width ?? (column.number ? "minmax(5rem, 0.6fr)" : "minmax(7rem, 1fr)")).join(" ");
  const move = (event: KeyboardEvent) => {
    if (event.target !== frame.current) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -rows.length, End: rows.length }[event.key];
    if (step) {
      event.preventDefault();
      const next = Math.max(0, Math.min(rows.length - 1, active + step));
      setActive(next);
      if (many) virtual.scrollToIndex(next);
    } else if (event.key === "Enter" && open && rows[active] !== undefined) open(rows[active]);
  };
  return (
    <div class="grid-frame" ref={frame} tabIndex={0} role="region" aria-label={label} style={many ? { maxHeight: height } : undefined} onKeyDown={move}>
      <div class="grid" role="table" aria-label={label} aria-rowcount={rows.length + 1}>
        <div class="grid-head" role="rowgroup"><div class="grid-row" role="row" style={{ gridTemplateColumns: template }}>
          {columns.map((column) => (
            <div role="columnheader" class={column.number ? "number" : ""} aria-sort={sorted === column.title ? "ascending" : sorted === `-${column.title}` ? "descending" : undefined}>
              {column.sort ? <button type="button" class="sort" onClick={() => sort(column.title)}>{column.title}<span aria-hidden="true">{sorted === column.title ? " ↑" : sorted === `-${column.title}` ? " ↓" : ""}</span></button> : column.title}
            </div>
          ))}
        </div></div>
        <div class="grid-body" role="rowgroup" style={many ? { height: `${virtual.getTotalSize()}px`, position: "relative" } : undefined}>
          {items.map(({ index, start }) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <div key={rowKey(row)} data-index={index} role="row" aria-rowindex={index + 2} ref={many ? virtual.measureElement : undefined}
                class={`grid-row ${index === active ? "active" : ""} ${open ? "opens" : ""} ${rowClass?.(row) ?? ""}`}
                style={{ gridTemplateColumns: template, ...(many ? { position: "absolute", top: 0, left: 0, right: 0, transform: `translateY(${start}px)` } : {}) }}
                onClick={open && ((event) => { if (!(event.target as Element).closest("button, a, input, select, summary")) open(row); })}>
                {columns.map((column) => <div role="cell" class={column.number ? "number" : ""} data-title={column.title}>{column.cell(row)}</div>)}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function useVirtual(frame: { current: HTMLDivElement | null }, count: number, on: boolean): Virtualizer<HTMLDivElement, Element> {
  const [, again] = useState({});
  const [virtual] = useState(() => new Virtualizer<HTMLDivElement, Element>(optionsOf(frame, count, on, () => again({}))));
  virtual.setOptions(optionsOf(frame, count, on, () => again({})));
  useLayoutEffect(() => virtual._didMount(), []);
  useLayoutEffect(() => virtual._willUpdate());
  return virtual;
}

function optionsOf(frame: { current: HTMLDivElement | null }, count: number, on: boolean, changed: () => void) {
  return {
    count, enabled: on, getScrollElement: () => frame.current, estimateSize: () => ROW, overscan: 12,
    initialRect: { width: 1000, height: 700 },
    observeElementRect, observeElementOffset, scrollToFn: elementScroll, onChange: changed,
  };
}
