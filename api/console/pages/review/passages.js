// Everybody who passed, newest first: tracks with their labels, also where no rule was broken.

import { get } from "../../api.js";
import { LabelName } from "../../components/label.js";
import { Empty, Shown } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { toastProblem } from "../../components/toast.js";
import { useAsked } from "../../asked.js";
import { count, exact, percent } from "../../format.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { cameraOf, lasted, zoneOf } from "./facts.js";

const PAGE = 50;

export function Passages({ wanted: { verdict, type, ...question }, places }) {
  const asked = useAsked((signal) => get("/tracks", { ...question, limit: PAGE }, { signal }), []);
  const [busy, setBusy] = useState(false);
  const more = async () => {
    setBusy(true);
    try {
      const page = await get("/tracks", { ...question, limit: PAGE, cursor: asked.data.next_cursor });
      asked.put({ items: [...asked.data.items, ...page.items], next_cursor: page.next_cursor });
    } catch (error) {
      toastProblem(error);
    }
    setBusy(false);
  };
  const columns = [
    { name: "when", title: T.review.when, head: true, cell: (row) => exact(row.started_at, zoneOf(row, places)) },
    { name: "camera", title: T.review.camera, cell: (row) => cameraOf(row, places) },
    { name: "label", title: T.review.label, cell: (row) => html`<${LabelName} label=${row.label} />${row.unknown_reason && html` <span class="hint">${T.reasons[row.unknown_reason]}</span>`}` },
    { name: "confidence", title: T.review.confidence, number: true, cell: (row) => percent(row.confidence, 0) },
    { name: "long", title: T.review.long, number: true, cell: (row) => lasted(row) },
    { name: "faces", title: T.review.sightings, number: true, cell: (row) => count(row.faces) },
    { name: "state", title: T.review.state, cell: (row) => (row.state === "open" ? T.review.openTrack : row.outside_hours ? T.review.outside : "") },
  ];
  return html`<${Shown} asked=${asked}>${(data) => data.items.length === 0
    ? html`<${Empty} title=${T.review.noPassages} text=${T.review.noneText} />`
    : html`<div class="card pad"><${Table} caption=${T.review.view.passages} columns=${columns} rows=${data.items} cards more=${data.next_cursor ? more : null} busy=${busy} /></div>`}<//>`;
}
