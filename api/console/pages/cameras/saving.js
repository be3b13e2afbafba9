// Saving what was changed about a camera, when somebody else may have been faster: what was typed stays.

import { Icon } from "../../components/icon.js";
import { toast } from "../../components/toast.js";
import { moment } from "../../format.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { save } from "./data.js";

// { send(changes) -> the camera as it is now, or null; busy, error, clash, forget }
export function useSaving(camera, put) {
  const [state, setState] = useState({ busy: false, error: null, clash: null });
  const send = async (changes) => {
    setState({ busy: true, error: null, clash: null });
    try {
      const { camera: now, clash } = await save(camera, changes);
      put(now);
      setState({ busy: false, error: null, clash: clash ?? null });
      if (clash) return null;
      toast(T.saving.saved);
      return now;
    } catch (problem) {
      setState({ busy: false, error: problem.message, clash: null });
      return null;
    }
  };
  return { ...state, send, forget: () => setState({ busy: false, error: null, clash: null }) };
}

// What is said about it; `again` saves over what the other did, `theirs` takes that instead.
export function SavingState({ saving, again, theirs }) {
  const { error, clash } = saving;
  return html`${error && html`<p class="error" role="alert">${error}</p>`}
    ${clash && html`<div class="notice" role="alert"><${Icon} name="warning" />
      <div class="grow"><p><strong>${clash.who ? T.saving.faster(clash.who, moment(clash.at, Intl.DateTimeFormat().resolvedOptions().timeZone)) : T.saving.somebody}</strong></p>
        <p class="meaning">${T.saving.fields(clash.fields.map((name) => T.saving.names[name] ?? name))} ${T.saving.kept}</p></div>
      <button type="button" class="button small" onClick=${again}>${T.saving.mine}</button>
      <button type="button" class="button small" onClick=${theirs}>${T.saving.theirs}</button></div>`}`;
}
