/** Starts the app: theme, session, outbox, and which page an address means. */

import { openSession, post, server } from "./api.js";
import { AgreementPage } from "./agreement_page.js";
import { AppShell } from "./app_shell.js";
import { ConflictsPage } from "./conflicts_page.js";
import { EpisodePage } from "./episode_page.js";
import { HelpOverlay } from "./help_overlay.js";
import { html, render, useEffect, useState } from "./html.js";
import { Keyboard } from "./keyboard.js";
import { LoginDialog, LoginPage } from "./login.js";
import { Empty } from "./marks.js";
import { Outbox } from "./outbox.js";
import { PeoplePage } from "./people_page.js";
import { QueuePage } from "./queue_page.js";
import { SearchPage } from "./search_page.js";
import { Sender } from "./sender.js";
import { followSystem } from "./theme.js";
import { ThroughputPage } from "./throughput_page.js";

/** Hash → page and what it is about. @param {string} hash */
export function routeOf(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/");
  return { page: page || "queue", id: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query) };
}

/** @param {{app: any}} props */
function App({ app }) {
  const [session, setSession] = useState(server.session);
  const [route, setRoute] = useState(routeOf(location.hash));
  const [signedOut, setSignedOut] = useState(false);
  const [help, setHelp] = useState(false);
  const [rev, setRev] = useState(/** @type {number|null} */ (null));
  const [conflicts, setConflicts] = useState(false);
  Object.assign(app, { setRev, help: () => setHelp(true) });
  useEffect(() => {
    const moved = () => setRoute(routeOf(location.hash));
    server.onLogin = () => setSignedOut(true);
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  const entered = async () => {
    await app.sender.counted("");
    app.sender.kick();
    setSession(server.session);
    setSignedOut(false);
  };
  if (!session) return html`<${LoginPage} mode=${app.mode} onIn=${entered} />`;
  const logout = async () => {
    await app.sender.flush();
    await post("/api/logout").catch(() => null);
    server.session = null;
    setSession(null);
  };
  const page = { app, session, query: route.query };
  const shown = /** @type {Record<string, () => any>} */ ({
    queue: () => html`<${QueuePage} key=${String(route.query)} ...${page} />`,
    episode: () => html`<${EpisodePage} key=${route.id} ...${page} reviewId=${route.id} conflictsOpen=${conflicts} setConflictsOpen=${setConflicts} />`,
    search: () => html`<${SearchPage} ...${page} />`,
    agreement: () => html`<${AgreementPage} ...${page} />`,
    throughput: () => html`<${ThroughputPage} ...${page} />`,
    conflicts: () => html`<${ConflictsPage} ...${page} id=${route.id} />`,
    people: () => html`<${PeoplePage} ...${page} />`,
  })[route.page];
  return html`<${AppShell} app=${app} session=${session} route=${route.page} rev=${rev} onConflicts=${() => (route.page === "episode" ? setConflicts(true) : app.go("#/conflicts"))} onLogout=${logout} />
    ${shown ? shown() : html`<main class="page"><${Empty} title="There is no such page"><a href="#/">To the queue</a><//></main>`}
    ${help && html`<${HelpOverlay} keyboard=${app.keyboard} onClose=${() => setHelp(false)} />`}
    ${signedOut && html`<${LoginDialog} mode=${app.mode} actor=${session.actor} pending=${app.sender.state.n_pending} keyboard=${app.keyboard} onIn=${entered} />`}`;
}

async function start() {
  followSystem();
  const session = await openSession().catch(() => null); // without one the login page is shown
  const mode = session?.mode ?? null;
  const outbox = await Outbox.open();
  const app = { outbox, sender: new Sender(outbox), keyboard: new Keyboard(), mode, go: (/** @type {string} */ hash) => (location.hash = hash) };
  await app.sender.counted();
  Object.assign(window, { joinery: app }); // for tests and for whoever wants to look
  render(html`<${App} app=${app} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
}

void start();
