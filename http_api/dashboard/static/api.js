// The REST API: one function for each method, and errors that say what to do.

const KEY = "gateway.token";
let token = sessionStorage.getItem(KEY);
let rate = { limit: 0, remaining: 0 };
let closedUntil = 0;

/** What went wrong, as the gateway or the network says it. `status` is 0 when there was no answer.
 *
 * `limited` says that it is the number of requests that was too high, `hopeless` that the same request would fail again.
 */
export class ApiError extends Error {
  constructor(status, message, { code = "", details = "", requestId = "", retryAfter = 0, limited = false, hopeless = false } = {}) {
    super(message);
    Object.assign(this, { status, code, details, requestId, retryAfter, limited, hopeless });
  }

  /** The fields that were refused, as [field, reason]. */
  get fields() {
    const found = this.details && Array.isArray(this.details.fields) ? this.details.fields : [];
    return found.map((item) => [String(item.field ?? ""), String(item.reason ?? "")]);
  }
}

/** Keep the credential for this tab, or forget it. It never goes into an address. */
export function signIn(credential) {
  token = credential;
  if (credential) sessionStorage.setItem(KEY, credential);
  else sessionStorage.removeItem(KEY);
}

/** Whether this tab has a credential. */
export const signedIn = () => Boolean(token);

/** What a WebSocket authenticates with, since browsers let it set no header. */
export const subprotocols = () => (token ? ["bearer", token] : []);

/** How much slower to ask by oneself, so that polling never uses up the rate limit. */
export function pace() {
  if (!rate.limit) return 1;
  const left = rate.remaining / rate.limit;
  return left > 0.5 ? 1 : left > 0.25 ? 3 : 10;
}

/** For how many milliseconds the rate limit lets nothing through; 0 where it does. */
export const closedFor = () => Math.max(0, closedUntil - Date.now());

/** How many requests the limit that is nearest allows. */
export const rateLimit = () => rate.limit;

export const get = (path, query) => json("GET", path + queryOf(query));
export const post = (path, body = {}) => json("POST", path, body);
export const put = (path, body) => json("PUT", path, body);
export const del = (path) => json("DELETE", path);

/** The answer itself, for streams and files. Throws ApiError. */
export async function call(method, path, { body, signal, headers = {}, accept = "application/json" } = {}) {
  const sent = { accept, ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, signal, headers: sent, cache: "no-store", credentials: "omit", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The gateway does not answer. See whether it still runs, then try again.");
  }
  const limited = note(answer);
  if (!answer.ok) throw await errorOf(answer, limited);
  return answer;
}

/** Save a file that the API gives. */
export async function download(path, name, accept = "*/*") {
  const answer = await call("GET", path, { accept });
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** One part of a path. */
export const part = encodeURIComponent;

async function json(method, path, body) {
  const answer = await call(method, path, { body });
  return answer.status === 204 ? {} : answer.json();
}

function queryOf(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** Keep how much the rate limit leaves; whether this answer is that it leaves nothing. */
function note({ status, headers }) {
  const limit = Number(headers.get("x-ratelimit-limit"));
  if (!limit) return false;
  rate = { limit, remaining: Number(headers.get("x-ratelimit-remaining")) };
  const limited = status === 429 && rate.remaining === 0;
  const before = closedUntil;
  closedUntil = limited ? Date.now() + (Number(headers.get("retry-after")) || 1) * 1000 : 0;
  if (before || closedUntil) dispatchEvent(new CustomEvent("ratelimit"));
  return limited;
}

async function errorOf(answer, limited) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    body = {};
  }
  const message = typeof body.error === "string" ? body.error : `The gateway answered ${answer.status}. Try again.`;
  const error = new ApiError(answer.status, message, {
    code: body.code, details: body.details, requestId: body.requestId,
    retryAfter: Number(answer.headers.get("retry-after")) || 0,
    limited, hopeless: answer.headers.get("x-should-retry") === "false",
  });
  if (error.status === 401) dispatchEvent(new CustomEvent("signedout", { detail: error }));
  return error;
}
