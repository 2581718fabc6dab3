/**
 * The server, as functions. Every write carries the CSRF token of the session; whatever fails throws one kind of error.
 */

/** What the server said no to, or that it could not be reached (status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    const error = body?.error;
    super(typeof error === "object" && error ? told(error) : error ?? body?.detail ?? (status ? `the server answered ${status}` : "the server cannot be reached"));
    this.status = status;
    this.body = body;
    this.remedy = error?.do ?? "";
  }
}

/** What, found and expected as one sentence. @param {{what: string, found?: any, expected?: any}} error */
function told({ what, found, expected }) {
  const shown = (/** @type {any} */ value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return `${what}${found === undefined || found === null || found === "" ? "" : `: found ${shown(found)}`}${expected === undefined || expected === null || expected === "" ? "" : `, expected ${shown(expected)}`}`;
}

/** @typedef {{actor: string, role: string, csrf: string, mode: "single"|"accounts", schema: number}} Session */

/** @type {{session: Session|null, onLogin: (() => void)|null}} */
export const server = { session: null, onLogin: null };

/**
 * @param {string} method @param {string} path @param {any} [body] @param {{signal?: AbortSignal, quiet?: boolean}} [options] quiet: do not ask for a login
 * @returns {Promise<any>}
 */
export async function call(method, path, body, { signal, quiet = false } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && server.session) headers["X-Joinery-CSRF"] = server.session.csrf;
  let response;
  try {
    response = await fetch(path, { method, headers, signal, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, null);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401 && !quiet) server.onLogin?.();
  throw new ApiError(response.status, answer);
}

/** @param {string} path @param {{signal?: AbortSignal, quiet?: boolean}} [options] */
export const get = (path, options) => call("GET", path, undefined, options);
/** @param {string} path @param {any} [body] @param {{signal?: AbortSignal, quiet?: boolean}} [options] */
export const post = (path, body = {}, options) => call("POST", path, body, options);

/** Who we are, asked anew. */
export async function openSession() {
  server.session = await get("/api/session", { quiet: true });
  return /** @type {Session} */ (server.session);
}

/** @param {string} reviewId */
export const episodePath = (reviewId) => `/api/episodes/${encodeURIComponent(reviewId)}`;

/** 128 random bits; `crypto.randomUUID` needs a secure context, which plain http on a lab's network is not. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
