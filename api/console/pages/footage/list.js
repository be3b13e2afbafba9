// Jobs, newest first, as they go on.

import { get, post } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Confirm } from "../../components/dialog.js";
import { Choice } from "../../components/field.js";
import { Empty, Shown } from "../../components/states.js";
import { toast, toastProblem } from "../../components/toast.js";
import { since } from "../../format.js";
import { filter, href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useEffect, useState } from "../../ui.js";
import { Outcome, Progress, Reason, State, isFinal, nameOf, placeOf, startOf } from "./words.js";

const PAGE = 20;
const RUNNING_MS = 5000;
const IDLE_MS = 30000;

// The newest so many.
async function newest(wanted, most, signal) {
  const items = [];
  let cursor = null;
  do {
    const page = await get("/jobs", { ...wanted, limit: Math.min(200, most - items.length), cursor }, { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return { items, more: Boolean(cursor) };
}

export function List({ query, places }) {
  const [most, setMost] = useState(PAGE);
  const [busy, setBusy] = useState(true);
  const wanted = { state: query.get("state") ?? "", camera: query.get("camera") ?? "" };
  const asked = useAsked(async (signal) => {
    const found = await newest(wanted, most, signal);
    setBusy(found.items.some((one) => !isFinal(one)));
    return found;
  }, [wanted.state, wanted.camera], { on: ["job"], every: busy ? RUNNING_MS : IDLE_MS });
  useEffect(() => {
    if (most > PAGE) asked.again();
  }, [most]);
  return html`<section class="block"><h2>${T.footage.jobs}</h2>
    ${(wanted.state || wanted.camera || asked.data?.items.length > 0) && html`<${Filters} wanted=${wanted} places=${places} />`}
    <${Shown} asked=${asked}>${({ items, more }) => {
      if (items.length === 0) {
        return wanted.state || wanted.camera
          ? html`<${Empty} icon="footage" title=${T.footage.noneMatch} text=${T.footage.noneMatchText} />`
          : html`<div class="card"><${Empty} icon="footage" title=${T.footage.none} text=${T.footage.noneText} /></div>`;
      }
      return html`<ul class="jobs">${items.map((one) => html`<${Job} key=${one.id} job=${one} places=${places} again=${asked.again} />`)}</ul>
        ${more && html`<p class="actions"><button type="button" class="button" disabled=${asked.loading} onClick=${() => setMost(most + PAGE)}>${T.table.more}</button></p>`}`;
    }}<//>
  </section>`;
}

function Filters({ wanted, places }) {
  const cameras = [...places.cameras.values()].sort((one, other) => one.name.localeCompare(other.name)).map((one) => [one.id, one.name]);
  return html`<div class="filters job-filters">
    <${Choice} label=${T.footage.state} value=${wanted.state} change=${(state) => filter({ state })} options=${[["", T.footage.every], ...Object.entries(T.footage.states)]} />
    ${cameras.length > 1 && html`<${Choice} label=${T.footage.camera} value=${wanted.camera} change=${(camera) => filter({ camera })} options=${[["", T.footage.everyCamera], ...cameras]} />`}
  </div>`;
}

function Job({ job, places, again }) {
  return html`<li class="card pad job">
    <div class="job-head"><h3><a href=${href(`footage/${job.id}`)}>${nameOf(job)}</a></h3><${State} job=${job} /></div>
    <p class="meaning">${placeOf(job, places)}, ${startOf(job, places)} · ${T.footage.asked(since(job.created_at), job.created_by)}</p>
    <${Reason} job=${job} />
    <${Progress} job=${job}><${Cancel} job=${job} done=${again} /><//><${Outcome} job=${job} />
    ${job.not_decoded.length > 0 && html`<p class="meaning">${T.footage.notDecoded(job.not_decoded.length)}</p>`}
  </li>`;
}

// Offered while there is something to cancel.
export function Cancel({ job, done }) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  if (!may("operator") || isFinal(job) || job.state === "cancelling") return null;
  const cancel = async () => {
    setBusy(true);
    try {
      await post(`/jobs/${job.id}/cancel`);
      toast(T.footage.cancelled);
    } catch (problem) {
      toastProblem(problem);
    }
    setBusy(false);
    setOpen(false);
    done();
  };
  return html`<button type="button" class="button small" onClick=${() => setOpen(true)}>${T.footage.cancel}<span class="unseen"> ${nameOf(job)}</span></button>
    ${open && html`<${Confirm} title=${T.footage.cancelOf} text=${T.footage.cancelText(nameOf(job))} confirm=${T.footage.cancelIt} leave=${T.footage.keep} act=${cancel} close=${() => setOpen(false)} busy=${busy} />`}`;
}
