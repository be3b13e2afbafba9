// Name and password.

import { Field } from "../components/field.js";
import { logIn } from "../session.js";
import { T } from "../texts.js";
import { html, useRef, useState } from "../ui.js";

export default function Login({ route }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef(null);
  const to = route.query.get("to");

  const submit = async (event) => {
    event.preventDefault();
    const { user, password } = form.current.elements;
    if (!user.value.trim() || !password.value) {
      setError(T.login.empty);
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await logIn(user.value.trim(), password.value);
      location.hash = `#/${to ?? "overview"}`;
    } catch (problem) {
      setError(problem.status === 401 ? T.login.wrong : problem.message);
      setBusy(false);
      password.select();
    }
  };

  return html`<div class="card door">
    <${Brand} />
    <h1>${T.login.title}</h1>
    <p>${to ? T.login.expired : T.login.text}</p>
    <form class="form" ref=${form} onSubmit=${submit} novalidate>
      <${Field} label=${T.login.user} name="user" autocomplete="username" autocapitalize="none" spellcheck=${false} required />
      <${Field} label=${T.login.password} name="password" type="password" autocomplete="current-password" required />
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <button class="button main" disabled=${busy}>${busy ? T.login.busy : T.login.submit}</button>
    </form>
    <p class="hint">${T.login.help} <code>${T.login.command}</code>.</p>
  </div>`;
}

export const Brand = () => html`<p class="brand"><img src="/static/icon.svg" alt="" width="28" height="28" />${T.name}</p>`;
