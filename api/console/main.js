// The console: finds out who looks at it, loads the page that the address names, and draws it in its frame.

import { Loading, NotAllowed, Broken, Failed, Unknown } from "./components/states.js";
import { Toasts } from "./components/toast.js";
import { Frame } from "./frame.js";
import * as live from "./live.js";
import { PAGES, load } from "./pages.js";
import { useRoute } from "./router.js";
import { OPEN, findOut, may, toLogin, useMe } from "./session.js";
import { T } from "./texts.js";
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./ui.js";

function App() {
  const me = useMe();
  const route = useRoute();
  const [error, setError] = useState(null);
  const start = () => {
    setError(null);
    findOut().catch(setError);
  };
  useEffect(start, []);
  useEffect(() => {
    if (me) live.start();
    else live.stop();
  }, [me]);
  // Back to a page after the log-out: nobody is there to see it.
  useEffect(() => {
    if (me === null) toLogin();
  }, [me, route.page]);

  if (OPEN.has(route.page)) return html`<main class="alone" id="page" tabindex="-1"><${Page} route=${route} /></main><${Toasts} />`;
  if (error && !me) return html`<main class="alone"><${Failed} whole error=${error} again=${start} /></main>`;
  if (!me) return html`<main class="alone"><${Loading} /></main>`;
  return html`<${Frame} page=${route.page}><${Page} route=${route} /><//><${Toasts} />`;
}

function Page({ route }) {
  const entry = PAGES[route.page];
  const [loaded, setLoaded] = useState({ name: null });
  const me = useMe();
  const first = useRef(true);
  const back = live.useBack(Boolean(loaded.failed));
  useEffect(() => {
    if (!entry) return;
    load(route.page).then(
      (Body) => setLoaded({ name: route.page, Body }),
      () => setLoaded({ name: route.page, failed: true }),
    );
    // What did not come while the server was away is asked for again when it is back.
  }, [route.page, back]);
  useEffect(() => {
    const title = T.nav[entry ? route.page : "unknown"];
    document.title = `${title} · ${T.name}`;
    // Who reads with their ears or goes by keyboard hears where they are, and goes on from there.
    if (!first.current) document.getElementById("page")?.focus({ preventScroll: true });
    if (!first.current) scrollTo(0, 0);
    first.current = false;
  }, [route.page]);

  if (!entry) return html`<${Unknown} />`;
  if (entry.role && !may(entry.role, me)) return html`<${NotAllowed} role=${T.nav.role(entry.role)} />`;
  if (loaded.name !== route.page) return html`<${Loading} />`;
  if (loaded.failed) return html`<${Failed} whole error=${new Error(T.states.pageMissing)} again=${() => location.reload()} />`;
  return html`<${Guarded} key=${route.page}><${loaded.Body} route=${route} /><//>`;
}

function Guarded({ children }) {
  const [error] = useErrorBoundary((thrown) => console.error(thrown));
  return error ? html`<${Broken} />` : children;
}

render(html`<${App} />`, document.getElementById("app"));
