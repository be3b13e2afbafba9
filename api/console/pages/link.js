// The one-time link: whoever opens it sets their password and is logged in.

import { Field } from "../components/field.js";
import { go } from "../router.js";
import { openLink } from "../session.js";
import { T } from "../texts.js";
import { html, useRef, useState } from "../ui.js";
import { Brand } from "./login.js";

const SHORTEST = 12;

export default function OneTimeLink({ route }) {
  const [wrong, setWrong] = useState({});
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const token = route.rest[0];

  const submit = async (event) => {
    event.preventDefault();
    const { password, again } = form.current.elements;
    if (password.value.length < SHORTEST) return setWrong({ password: T.link.short });
    if (password.value !== again.value) return setWrong({ again: T.link.differ });
    setBusy(true);
    setWrong({});
    try {
      await openLink(token, password.value);
      // The used token leaves the browser's history.
      return go("overview", {}, { replace: true });
    } catch (problem) {
      setBusy(false);
      return setWrong({ all: problem.message });
    }
  };

  return html`<div class="card door">
    <${Brand} />
    <h1>${T.link.title}</h1>
    <p>${T.link.text}</p>
    ${!token
      ? html`<p class="error" role="alert">${T.link.none}</p>`
      : html`<form class="form" ref=${form} onSubmit=${submit} novalidate>
          <${Field} label=${T.link.password} hint=${T.link.hint} error=${wrong.password} name="password" type="password" autocomplete="new-password" required />
          <${Field} label=${T.link.again} error=${wrong.again} name="again" type="password" autocomplete="new-password" required />
          ${wrong.all && html`<p class="error" role="alert">${wrong.all}</p>`}
          <button class="button main" disabled=${busy}>${busy ? T.link.busy : T.link.submit}</button>
        </form>`}
  </div>`;
}
