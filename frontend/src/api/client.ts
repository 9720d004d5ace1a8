/** The REST API: typed requests, the credential of this tab, and errors that say what to do. */

import type { paths } from "./schema";

const KEY = "gateway.token";
let token = sessionStorage.getItem(KEY);
let rate = { limit: 0, remaining: 0 };
let closedUntil = 0;

type Details = string | { fields?: { field?: unknown; reason?: unknown }[]; [name: string]: unknown };

interface Told {
  code?: string;
  details?: Details;
  requestId?: string;
  retryAfter?: number;
  /** The number of requests was too high. */
  limited?: boolean;
  /** The same request would fail again. */
  hopeless?: boolean;
}

/** A failed request; `status` is 0 when the gateway did not answer. */
export class ApiError extends Error {
  readonly code: string;
  readonly details: Details;
  readonly requestId: string;
  readonly retryAfter: number;
  readonly limited: boolean;
  readonly hopeless: boolean;

  constructor(readonly status: number, message: string, told: Told = {}) {
    super(message);
    this.code = told.code ?? "";
    this.details = told.details ?? "";
    this.requestId = told.requestId ?? "";
    this.retryAfter = told.retryAfter ?? 0;
    this.limited = told.limited ?? false;
    this.hopeless = told.hopeless ?? false;
  }

  /** The refused fields with their reasons. */
  get fields(): [string, string][] {
    const found = typeof this.details === "object" && Array.isArray(this.details.fields) ? this.details.fields : [];
    return found.map((item) => [String(item.field ?? ""), String(item.reason ?? "")]);
  }
}

/** Keep the credential for this tab, or forget it. It never goes into an address. */
export function signIn(credential: string | null): void {
  token = credential;
  if (credential) sessionStorage.setItem(KEY, credential);
  else sessionStorage.removeItem(KEY);
}

export const signedIn = (): boolean => Boolean(token);

/** The subprotocols that authenticate a WebSocket, since browsers let it set no header. */
export const subprotocols = (): string[] => (token ? ["bearer", token] : []);

/** How many times slower to poll, so that polling never uses up the rate limit. */
export function pace(): number {
  if (!rate.limit) return 1;
  const left = rate.remaining / rate.limit;
  return left > 0.5 ? 1 : left > 0.25 ? 3 : 10;
}

/** Milliseconds for which the rate limit refuses requests. */
export const closedFor = (): number => Math.max(0, closedUntil - Date.now());
export const rateLimit = (): number => rate.limit;

type Success<Operation> = Operation extends { responses: { 200: { content: { "application/json": infer Body } } } } ? Body
  : Operation extends { responses: { 201: { content: { "application/json": infer Body } } } } ? Body : unknown;
type Get = { [Path in keyof paths]: paths[Path] extends { get: infer Operation } ? Success<Operation> : never };
export type Query = Record<string, string | number | boolean | null | undefined>;

/** GET of a documented path without parameters, with the type of its answer. */
export function get<Path extends keyof Get & string>(path: Path, query?: Query): Promise<Get[Path]> {
  return json("GET", path + queryOf(query)) as Promise<Get[Path]>;
}

/** GET of any path. */
export const getAt = <Body>(path: string, query?: Query): Promise<Body> => json("GET", path + queryOf(query)) as Promise<Body>;
export const post = <Body = Record<string, unknown>>(path: string, body: unknown = {}): Promise<Body> => json("POST", path, body) as Promise<Body>;
export const put = <Body = Record<string, unknown>>(path: string, body: unknown): Promise<Body> => json("PUT", path, body) as Promise<Body>;
export const del = <Body = Record<string, unknown>>(path: string): Promise<Body> => json("DELETE", path) as Promise<Body>;
/** One part of a path. */
export const part = encodeURIComponent;

export interface Call {
  body?: unknown;
  raw?: BodyInit;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  accept?: string;
}

/** The answer itself, for streams and files. Raises ApiError. */
export async function call(method: string, path: string, { body, raw, signal, headers = {}, accept = "application/json" }: Call = {}): Promise<Response> {
  const sent: Record<string, string> = { accept, ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(path, {
      method, headers: sent, cache: "no-store", credentials: "omit", redirect: "error",
      ...(signal ? { signal } : {}),
      ...(body === undefined ? (raw === undefined ? {} : { body: raw }) : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (aborted(error)) throw error;
    throw new ApiError(0, "The gateway does not answer. Check that it is running, then try again.");
  }
  const limited = note(answer);
  if (!answer.ok) throw await errorOf(answer, limited);
  return answer;
}

export const aborted = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

/** Save a file that the API gives. */
export async function download(path: string, name: string, accept = "*/*"): Promise<void> {
  save(await (await call("GET", path, { accept })).blob(), name);
}

/** Save bytes as a file. */
export function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** PUT of a large body that tells how much of it was sent. */
export function upload(path: string, body: unknown, sent: (share: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("content-type", "application/json");
    if (token) request.setRequestHeader("authorization", `Bearer ${token}`);
    request.upload.onprogress = ({ loaded, total }) => sent(total ? loaded / total : 0);
    request.onerror = () => reject(new ApiError(0, "The gateway does not answer. Check that it is running, then try again."));
    request.onload = async () => {
      if (request.status < 300) resolve();
      else reject(await errorOf(new Response(request.responseText, { status: request.status }), false));
    };
    request.send(JSON.stringify(body));
  });
}

async function json(method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await call(method, path, body === undefined ? {} : { body });
  return answer.status === 204 ? {} : answer.json();
}

export function queryOf(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** Keep how much the rate limit leaves. Returns whether this answer says that nothing is left. */
function note({ status, headers }: Response): boolean {
  const limit = Number(headers.get("x-ratelimit-limit"));
  if (!limit) return false;
  rate = { limit, remaining: Number(headers.get("x-ratelimit-remaining")) };
  const limited = status === 429 && rate.remaining === 0;
  const before = closedUntil;
  closedUntil = limited ? Date.now() + (Number(headers.get("retry-after")) || 1) * 1000 : 0;
  if (before || closedUntil) dispatchEvent(new CustomEvent("ratelimit"));
  return limited;
}

async function errorOf(answer: Response, limited: boolean): Promise<ApiError> {
  const body = (await answer.json().catch(() => ({}))) as { error?: unknown; code?: string; details?: Details; requestId?: string };
  const message = typeof body.error === "string" ? body.error : `The gateway answered ${answer.status}. Try again.`;
  const error = new ApiError(answer.status, message, {
    code: body.code, details: body.details, requestId: body.requestId,
    retryAfter: Number(answer.headers.get("retry-after")) || 0,
    limited, hopeless: answer.headers.get("x-should-retry") === "false",
  });
  if (error.status === 401) dispatchEvent(new CustomEvent("signedout", { detail: error }));
  return error;
}
