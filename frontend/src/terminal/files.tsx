/** The files of a session's host: list, download and upload with progress. */

import { useRef, useState } from "preact/hooks";
import { getAt, part, save, upload } from "../api/client";
import type { FileInfo, Session } from "../api/types";
import { bytes } from "../lib/format";
import { useLoad } from "../lib/loading";
import { confirmed } from "../ui/dialog";
import { attempt, Button, Card, Loading, notify, Quiet, When } from "../ui/kit";
import { Table } from "../ui/table";
import { m } from "../messages";

const t = m.terminals;
const PIECE = 1024 * 1024;

interface Moving {
  name: string;
  done: number;
  total: number;
}

export function Files({ session }: { session: Session }) {
  const [path, setPath] = useState(".");
  const [typed, setTyped] = useState(".");
  const [moving, setMoving] = useState<Moving | null>(null);
  const chosen = useRef<HTMLInputElement>(null);
  const at = `/v1/terminal/${part(session.id)}/files`;
  const found = useLoad(() => getAt<{ file: FileInfo; entries?: FileInfo[] | null; truncated: boolean }>(at, { path }), [path]);
  const go = (to: string) => { setPath(to); setTyped(to); };
  const put = async (file: File) => {
    const body = { path: joined(found.data?.file.path ?? path, file.name), content: await base64(file), encoding: "base64" };
    const there = found.data?.entries?.some((entry) => entry.name === file.name) ?? false;
    if (there && !(await confirmed(t.replaceFile(file.name), t.replaceText, t.replaceAction))) return;
    await upload(`${at}/content`, { ...body, overwrite: there }, (share) => setMoving({ name: file.name, done: share * file.size, total: file.size }));
    notify(t.uploaded(file.name));
    await found.reload();
  };
  const moved = async (action: () => Promise<void>) => {
    await attempt(action);
    setMoving(null);
  };
  return (
    <Card title={t.files} actions={<>
      <input ref={chosen} type="file" hidden aria-label={t.chooseFiles} onChange={async (event) => {
        const input = event.currentTarget;
        for (const file of [...(input.files ?? [])]) await moved(() => put(file));
        input.value = "";
      }} />
      <Button small onClick={() => chosen.current?.click()}>{t.upload}</Button></>}>
      <form class="find" onSubmit={(event) => { event.preventDefault(); go(typed); }}>
        <input aria-label={t.path} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
        <button type="submit" class="button small">{t.goTo}</button>
        {moving && <span role="status"><progress value={moving.done} max={moving.total || 1} aria-label={moving.name} /> {moving.name} {t.progress(bytes(moving.done), bytes(moving.total))}</span>}
      </form>
      <Loading of={found}>{({ file, entries, truncated }) => (
        <>
          <Table<FileInfo> label={t.files} rows={entries ?? [file]} rowKey={(entry) => entry.path} empty={t.noFiles} columns={[
            { title: t.name, width: "minmax(10rem, 3fr)", sort: (entry) => entry.name, cell: (entry) => (entry.type === "directory" ? <button type="button" class="button plain small" onClick={() => go(entry.path)}>{entry.name}/</button> : entry.name) },
            { title: t.size, number: true, sort: (entry) => entry.size, cell: (entry) => (entry.type === "file" ? bytes(entry.size) : "") },
            { title: t.modified, sort: (entry) => entry.modifiedAt, cell: (entry) => <When at={entry.modifiedAt} /> },
            { title: "", width: "8rem", cell: (entry) => entry.type === "file" && <Button small name={t.downloadOf(entry.name)} onClick={() => moved(() => fetchFile(at, entry, setMoving))}>{t.download}</Button> },
          ]} />
          {entries && <p><Button small onClick={() => go(joined(file.path, ".."))}>{t.parent}</Button></p>}
          {truncated && <Quiet>{t.truncated}</Quiet>}
        </>
      )}</Loading>
    </Card>
  );
}

const joined = (folder: string, name: string): string => `${folder.replace(/\/$/, "")}/${name}`;

/** Read a file in pieces, and save it. */
async function fetchFile(at: string, entry: FileInfo, told: (moving: Moving) => void): Promise<void> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let offset = 0, eof = false; !eof;) {
    const read = await getAt<{ bytes: number; eof: boolean; content: string }>(`${at}/content`, { path: entry.path, offset, limit: PIECE, encoding: "base64" });
    pieces.push(Uint8Array.from(atob(read.content), (sign) => sign.charCodeAt(0)));
    offset += read.bytes;
    eof = read.eof || read.bytes === 0;
    told({ name: entry.name, done: offset, total: Math.max(entry.size, offset) });
  }
  save(new Blob(pieces), entry.name);
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error ?? new Error(file.name));
    reader.readAsDataURL(file);
  });
}
