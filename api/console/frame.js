// What is around every page: where one can go, how the connection fares, whose session it is.

import { Icon } from "./components/icon.js";
import { Menu, MenuButton } from "./components/menu.js";
import { PasswordDialog } from "./components/password.js";
import { connection } from "./live.js";
import { PAGES, inMenu } from "./pages.js";
import { href } from "./router.js";
import { logOut, useMe } from "./session.js";
import { T } from "./texts.js";
import { html, useShared, useState } from "./ui.js";

const IN_BAR = 4;

export function Frame({ page, children }) {
  const me = useMe();
  const pages = inMenu(me);
  const [changing, setChanging] = useState(false);
  return html`
    <a class="skip" href="#page" onClick=${toPage}>${T.nav.skip}</a>
    <div class="frame">
      <header class="top">
        <a class="brand" href=${href("overview")}><img src="/static/icon.svg" alt="" width="24" height="24" />${T.name}</a>
        <${Connection} />
        <${Account} me=${me} changePassword=${() => setChanging(true)} />
      </header>
      <nav class="side" aria-label=${T.nav.label}>
        <ul>
          ${pages.map((name, place) => html`<li key=${name} class=${place >= IN_BAR ? "in-more" : ""}><${Link} name=${name} now=${page === name} /></li>`)}
          ${pages.length > IN_BAR && html`<li class="more"><${More} pages=${pages.slice(IN_BAR)} page=${page} /></li>`}
        </ul>
      </nav>
      <main id="page" tabindex="-1">${children}</main>
    </div>
    ${changing && html`<${PasswordDialog} close=${() => setChanging(false)} />`}
  `;
}

function toPage(event) {
  // The address behind the # belongs to the pages.
  event.preventDefault();
  document.getElementById("page")?.focus();
}

function Link({ name, now }) {
  return html`<a class="to" href=${href(name)} aria-current=${now ? "page" : undefined}>
    <${Icon} name=${PAGES[name].icon} /><span>${T.nav[name]}</span>
  </a>`;
}

function More({ pages, page }) {
  return html`<${Menu} label=${T.nav.more} icon="more" text=${T.nav.more} up className=${pages.includes(page) ? "here" : ""}>
    ${pages.map((name) => html`<a key=${name} class="item" href=${href(name)} aria-current=${name === page ? "page" : undefined}>
      <${Icon} name=${PAGES[name].icon} />${T.nav[name]}
    </a>`)}
  <//>`;
}

function Connection() {
  const state = useShared(connection);
  return html`<p class="pill" role="status" data-state=${state} title=${T.connection.explained[state]}>
    <span class="pill-text">${T.connection[state]}</span>
  </p>`;
}

function Account({ me, changePassword }) {
  const [theme, setTheme] = useState(window.maskwatchTheme.get());
  const choose = (name) => {
    window.maskwatchTheme.set(name);
    setTheme(name);
  };
  return html`<${Menu} label=${T.nav.account(me?.name ?? "")} icon="person" className="account">
    ${me && html`<p class="who"><strong>${me.name}</strong><span>${T.nav.role(me.role)}</span></p>`}
    <fieldset class="themes">
      <legend>${T.nav.theme}</legend>
      ${Object.entries(T.nav.themes).map(([name, text]) => html`<label key=${name}>
        <input type="radio" name="theme" checked=${theme === name} onChange=${() => choose(name)} />${text}
      </label>`)}
    </fieldset>
    <a class="item" href="/api/docs"><${Icon} name="book" />${T.nav.reference}</a>
    ${me?.kind === "account" && html`<${MenuButton} icon="key" onClick=${changePassword}>${T.password.menu}<//>`}
    ${me && me.kind !== "local" && html`<${MenuButton} icon="out" onClick=${logOut}>${T.nav.logOut}<//>`}
    ${me?.kind === "local" && html`<p class="hint">${T.nav.local}</p>`}
  <//>`;
}
