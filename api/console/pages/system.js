// Whether every part works, what runs here, and what is held back, in words.

import { get } from "../api.js";
import { useAsked } from "../asked.js";
import { Icon } from "../components/icon.js";
import { sentence } from "../components/sentence.js";
import { Shown } from "../components/states.js";
import { Table } from "../components/table.js";
import { href } from "../router.js";
import { T } from "../texts.js";
import { html } from "../ui.js";

const EVERY_MS = 5000;

// That something does not work is an answer here, not a failure.
async function health(signal) {
  try {
    return (await get("/health/ready", {}, { signal })).checks;
  } catch (problem) {
    if (!problem.details?.checks) throw problem;
    return problem.details.checks;
  }
}

async function everything(signal) {
  const [checks, version, overview] = await Promise.all([health(signal), get("/version", {}, { signal }), get("/overview", {}, { signal }).catch(() => null)]);
  return { checks, version, overview };
}

const stateOf = (check) => (check.ok ? (check.detail ? "waiting" : "good") : "bad");

export default function System() {
  const asked = useAsked(everything, [], { every: EVERY_MS });
  return html`<div class="page-head"><h1>${T.nav.system}</h1></div>
    <${Shown} asked=${asked}>${(data) => html`<${Parts} ...${data} />`}<//>`;
}

function Parts({ checks, version, overview }) {
  const states = checks.map(stateOf);
  const worst = ["bad", "waiting"].find((state) => states.includes(state)) ?? "good";
  const columns = [
    { name: "name", title: T.system.part, head: true, cell: (one) => T.system.parts(one.name) },
    { name: "state", title: T.cameras.state, cell: (one) => html`<span class="pill" data-state=${stateOf(one)}><span class="pill-text">${T.system.states[stateOf(one)]}</span></span>
      ${one.detail && html`<p class="meaning">${sentence(one.detail)}</p>`}` },
    { name: "device", title: T.system.device, quiet: true, cell: (one) => one.device ?? "" },
    { name: "store", title: T.system.store, quiet: true, cell: (one) => one.store ?? "" },
  ];
  const { down = [], warned = [] } = overview?.cameras ?? {};
  return html`<section class="card pad summary" data-state=${worst}><${Icon} name=${worst === "good" ? "calm" : "warning"} size=${28} />
      <div><h2>${T.system.summary[worst]}</h2><p class="meaning">${T.system.version(version.version, version.api_version)}</p></div></section>
    <section class="block"><h2>${T.system.checks}</h2><div class="card pad"><${Table} caption=${T.system.checks} columns=${columns} rows=${checks} keyOf=${(one) => one.name} cards /></div></section>
    ${down.length + warned.length > 0 && html`<section class="block"><h2>${T.system.cameras}</h2><ul class="card pad lines">
      ${[...down, ...warned].map((one) => html`<li key=${`${one.id} ${one.state}`}><a href=${href(`cameras/${one.id}`)}>${one.name}</a> · ${sentence(one.detail)}</li>`)}</ul></section>`}
    <section class="block"><h2>${T.system.limits}</h2><ul class="card pad lines">${T.system.limitTexts.map((text) => html`<li key=${text}>${text}</li>`)}</ul></section>
    <p class="actions"><a class="button" href="/api/docs"><${Icon} name="book" />${T.nav.reference}</a></p>`;
}
