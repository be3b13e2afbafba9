// Another password of one's own.

import { patch, useToken } from "../api.js";
import { T } from "../texts.js";
import { html, useRef, useState } from "../ui.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";
import { toast } from "./toast.js";

const SHORTEST = 12;

export function PasswordDialog({ close }) {
  const form = useRef(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const { old, password, again } = form.current.elements;
    if ([...password.value].length < SHORTEST) return setError(T.link.short);
    if (password.value !== again.value) return setError(T.link.differ);
    setBusy(true);
    try {
      const told = await patch("/me", { old_password: old.value, new_password: password.value }, { alone: true });
      useToken(told.csrf_token);
      toast(T.password.done);
      close();
    } catch (problem) {
      setError(problem.message);
      setBusy(false);
    }
    return undefined;
  };
  return html`<${Dialog} title=${T.password.title} close=${close}>
    <form class="form" ref=${form} onSubmit=${submit} novalidate>
      <p class="hint">${T.password.text}</p>
      <${Field} label=${T.password.old} name="old" type="password" autocomplete="current-password" required />
      <${Field} label=${T.link.password} name="password" type="password" autocomplete="new-password" hint=${T.link.hint} required />
      <${Field} label=${T.link.again} name="again" type="password" autocomplete="new-password" required />
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <p class="actions"><button class="button main" disabled=${busy}>${T.password.submit}</button></p>
    </form>
  <//>`;
}
