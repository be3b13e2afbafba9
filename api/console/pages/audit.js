// Who looked at what and who changed what, from where.

import { address, all, get } from "../api.js";
import { useAsked } from "../asked.js";
import { Choice, Field } from "../components/field.js";
import { Icon } from "../components/icon.js";
import { Empty, Shown } from "../components/states.js";
import { Table } from "../components/table.js";
import { toastProblem } from "../components/toast.js";
import { exact } from "../format.js";
import { filter } from "../router.js";
import { T } from "../texts.js";
import { html, useEffect, useRef, useState } from "../ui.js";

const PAGE = 50;
const FILTERS = ["caller", "action", "object_type", "object_id", "building"];
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Days are those of whoever looks; both are included.
function wantedOf(query) {
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const start = (day, later = 0) => {
    const at = new Date(`${day}T00:00:00`);
    at.setDate(at.getDate() + later);
    return Number.isNaN(at.getTime()) ? "" : at.toISOString();
  };
  return { ...wanted, from: query.get("from") ? start(query.get("from")) : "", to: query.get("to") ? start(query.get("to"), 1) : "" };
}

export default function Audit({ route }) {
  const wanted = wantedOf(route.query);
  const asked = useAsked(async (signal) => {
    const [page, buildings] = await Promise.all([get("/audit", { ...wanted, limit: PAGE }, { signal }), all("/buildings", {}, 2000, { signal })]);
    return { ...page, buildings };
  }, [JSON.stringify(wanted)]);
  const filtered = [...route.query.values()].some(Boolean);
  return html`<div class="page-head"><h1>${T.nav.audit}</h1>
      ${["csv", "jsonl"].map((format) => html`<a key=${format} class="button" href=${address("/audit", { ...wanted, format })} download><${Icon} name="download" />${T.audit.exports[format]}</a>`)}</div>
    <${Filters} query=${route.query} buildings=${asked.data?.buildings ?? []} />
    <${Shown} asked=${asked}>${(data) => html`<${Entries} data=${data} wanted=${wanted} filtered=${filtered} put=${asked.put} />`}<//>`;
}

function Filters({ query, buildings }) {
  const typed = (name) => ({ name, value: query.get(name) ?? "", onChange: (event) => filter({ [name]: event.target.value.trim() }) });
  return html`<form class="filters wall-filters" onSubmit=${(event) => event.preventDefault()}>
    <${Field} label=${T.audit.caller} autocomplete="off" autocapitalize="none" ...${typed("caller")} />
    <${Choice} label=${T.audit.action} value=${query.get("action") ?? ""} change=${(action) => filter({ action })} options=${[["", T.audit.any], ...Object.entries(T.audit.groups)]} />
    <${Choice} label=${T.audit.object} value=${query.get("object_type") ?? ""} change=${(value) => filter({ object_type: value })} options=${[["", T.audit.any], ...Object.entries(T.audit.objects)]} />
    <${Field} label=${T.audit.identifier} autocomplete="off" autocapitalize="none" ...${typed("object_id")} />
    ${buildings.length > 0 && html`<${Choice} label=${T.cameras.building} value=${query.get("building") ?? ""} change=${(building) => filter({ building })} options=${[["", T.wall.all], ...buildings.map((one) => [one.id, one.name])]} />`}
    <${Field} label=${T.audit.from} type="date" ...${typed("from")} /><${Field} label=${T.audit.to} type="date" ...${typed("to")} />
  </form>`;
}

function Entries({ data, wanted, filtered, put }) {
  const [busy, setBusy] = useState(false);
  const latest = useRef(data);
  useEffect(() => { latest.current = data; }, [data]);
  const more = async () => {
    setBusy(true);
    try {
      const page = await get("/audit", { ...wanted, limit: PAGE, cursor: data.next_cursor });
      // Filters may have changed meanwhile.
      if (latest.current === data) put({ ...data, items: [...data.items, ...page.items], next_cursor: page.next_cursor });
    } catch (problem) {
      toastProblem(problem);
    }
    setBusy(false);
  };
  if (data.items.length === 0) {
    return html`<${Empty} icon="audit" title=${filtered ? T.audit.noneMatch : T.audit.none} text=${filtered ? T.audit.noneMatchText : T.audit.noneText} />`;
  }
  const names = new Map(data.buildings.map((one) => [one.id, one.name]));
  const columns = [
    { name: "at", title: T.audit.at, cell: (one) => html`<time datetime=${one.at}>${exact(one.at, HERE)}</time>` },
    { name: "who", title: T.audit.caller, head: true, cell: (one) => html`${one.caller_name}${one.caller_kind === "key" ? html` <span class="quiet">${T.audit.byKey}</span>` : ""}` },
    { name: "action", title: T.audit.action, cell: (one) => T.audit.actions[one.action] ?? one.action.replaceAll(/[._]/g, " ") },
    { name: "what", title: T.audit.object, cell: (one) => html`${T.audit.objects[one.object_type] ?? one.object_type} <code>${one.object_id}</code>` },
    { name: "building", title: T.cameras.building, quiet: true, cell: (one) => names.get(one.building_id) ?? one.building_id ?? "" },
    { name: "address", title: T.audit.address, quiet: true, cell: (one) => one.address ?? "" },
    { name: "detail", title: T.audit.detail, quiet: true, cell: (one) => told(one.detail) },
  ];
  return html`<div class="card pad audit"><${Table} caption=${T.nav.audit} columns=${columns} rows=${data.items} cards more=${data.next_cursor ? more : null} busy=${busy} /></div>`;
}

const word = (value) => (Array.isArray(value) ? value.map(word).join(", ") : value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));
const told = (detail) => Object.entries(detail).filter(([, value]) => value !== null).map(([name, value]) => `${name.replaceAll("_", " ")}: ${word(value)}`).join("; ");
