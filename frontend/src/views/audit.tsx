/** The audit trail in a virtual table that loads older entries while it is scrolled. */

import { useEffect, useRef, useState } from "preact/hooks";
import { get, getAt } from "../api/client";
import type { AuditEntry, AuditPage } from "../api/types";
import type { ViewProps } from "../app/views";
import { count } from "../lib/format";
import { go, href, setQuery } from "../lib/router";
import { dialog } from "../ui/dialog";
import { Badge, Button, Card, Code, ErrorBox, Facts, Head, Quiet, When } from "../ui/kit";
import { Table, type Column } from "../ui/table";
import { m } from "../messages";

const PAGE = 200;
const FILTERS = ["action", "caller", "outcome", "requestId", "from", "to"] as const;

interface Entries {
  rows: AuditEntry[];
  next: number | null;
  error: unknown;
  first: boolean;
}

export function Audit({ query }: ViewProps) {
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const key = JSON.stringify(wanted);
  const [found, setFound] = useState<Entries>({ rows: [], next: null, error: null, first: true });
  const [verdict, setVerdict] = useState<Awaited<ReturnType<typeof verify>> | null>(null);
  const turn = useRef(0);
  const busy = useRef(false);
  const load = async (cursor: number | null) => {
    const mine = cursor === null ? ++turn.current : turn.current;
    busy.current = true;
    try {
      const page = await getAt<AuditPage>("/v1/audit", { ...wanted, limit: PAGE, cursor });
      if (mine === turn.current) setFound((before) => ({ rows: cursor === null ? page.entries : [...before.rows, ...page.entries], next: page.nextCursor ?? null, error: null, first: false }));
    } catch (error) {
      if (mine === turn.current) setFound((before) => ({ ...before, error, first: false }));
    } finally {
      if (mine === turn.current) busy.current = false;
    }
  };
  useEffect(() => { void load(null); }, [key]);
  const more = () => { if (found.next !== null && !busy.current && !found.error) void load(found.next); };
  const columns: Column<AuditEntry>[] = [
    { title: "#", number: true, width: "5rem", cell: (entry) => entry.sequence },
    { title: m.audit.when, width: "8rem", cell: (entry) => <When at={entry.at} /> },
    { title: m.audit.who, cell: (entry) => entry.caller },
    { title: m.audit.what, cell: (entry) => <Code>{entry.action}</Code> },
    { title: m.audit.outcome, width: "8rem", cell: (entry) => <Badge kind={entry.outcome === "ok" ? "good" : "bad"}>{entry.outcome}</Badge> },
    { title: m.audit.details, width: "minmax(12rem, 3fr)", cell: (entry) => <span class="one-line">{textOf(entry)}</span> },
  ];
  return (
    <>
      <Head title={m.views.audit}><Button onClick={async () => { setVerdict(null); setVerdict(await verify()); }}>{m.audit.verify}</Button></Head>
      <div aria-live="polite">{verdict && <p class={verdict.valid ? "notice good" : "error"} role="status">{verdict.valid ? m.audit.whole(count(verdict.entries), verdict.pruned ?? 0) : m.audit.broken(verdict.firstBroken, verdict.reason)}</p>}</div>
      <div class="filters">
        {FILTERS.map((name) => <label><span>{m.audit.filters[name]}</span><input type={(name === "from" || name === "to" ? "date" : "search") as "search"} value={wanted[name]} spellcheck={false} onChange={(event) => setQuery({ [name]: event.currentTarget.value.trim() })} /></label>)}
      </div>
      <Card label={m.views.audit}>
        {found.error !== null && <ErrorBox error={found.error} retry={() => load(found.next)} />}
        {found.first ? <Quiet>{m.loading}</Quiet> : <Table label={m.views.audit} columns={columns} rows={found.rows} rowKey={(entry) => entry.sequence} empty={m.audit.empty} open={show} more={found.next === null ? undefined : more} />}
        <p class="quiet" role="status">{m.audit.loaded(found.rows.length, found.next !== null)}</p>
      </Card>
    </>
  );
}

const verify = () => get("/v1/audit/verify");
const textOf = (entry: AuditEntry): string => Object.entries(entry.details).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(" · ") || "–";

function show(entry: AuditEntry): void {
  void dialog(m.audit.entry(entry.sequence), () => (
    <>
      <Facts of={[
        [m.audit.when, new Date(entry.at).toLocaleString()], [m.audit.who, entry.caller], [m.audit.address, entry.address], [m.audit.what, <Code>{entry.action}</Code>], [m.audit.outcome, entry.outcome],
        [m.audit.filters.requestId, <Code>{entry.requestId}</Code>], [m.audit.trace, entry.traceId && <Button small kind="plain" onClick={() => go(href("decisions", "trace", entry.traceId))}>{entry.traceId}</Button>], [m.audit.hash, <Code>{entry.hash}</Code>],
      ]} />
      <pre class="details tall" tabIndex={0}>{JSON.stringify(entry.details, null, 2)}</pre>
    </>
  ), { wide: true });
}
