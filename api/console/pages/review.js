// Events, judged: one after another by keyboard, or many at once. What is shown is chosen by filters in the address.

import { useAsked } from "../asked.js";
import { Icon } from "../components/icon.js";
import { Empty, Shown } from "../components/states.js";
import { href } from "../router.js";
import { may } from "../session.js";
import { T } from "../texts.js";
import { classes, html, useEffect } from "../ui.js";
import { Desk } from "./review/desk.js";
import { Filters, wanted } from "./review/filters.js";
import { Passages } from "./review/passages.js";
import { places } from "./review/places.js";
import { useQueue } from "./review/queue.js";
import { Sheet } from "./review/sheet.js";

const VIEWS = ["single", "sheet", "passages"];

export default function Review({ route }) {
  const asked = useAsked(places, []);
  const spot = route.rest[0] === "spot";
  useEffect(() => {
    if (spot) location.replace(href("spot"));
  }, [spot]);
  const view = VIEWS.includes(route.query.get("view")) ? route.query.get("view") : "single";
  const query = Object.fromEntries(route.query);
  return html`<div class="page-head review-head"><h1>${T.review.title}</h1>
      <nav class="row" aria-label=${T.review.views}>
        ${VIEWS.map((name) => html`<a key=${name} class="button small" aria-current=${name === view ? "true" : undefined}
          href=${href("review", { ...query, view: name === "single" ? "" : name })}>${T.review.view[name]}</a>`)}
        ${may("reviewer") && html`<a class="button small" href=${href("spot")}><${Icon} name="search" size=${16} />${T.review.toSpot}</a>`}
      </nav></div>
    <${Shown} asked=${asked}>${(known) => {
      const question = JSON.stringify(wanted(route.query, known));
      return html`<div class=${classes("review", view)}>
      <${Filters} route=${route} places=${known} tracks=${view === "passages"} />
      ${view === "passages"
        ? html`<${Passages} key=${question} wanted=${wanted(route.query, known)} places=${known} />`
        : html`<${Events} key=${question} route=${route} places=${known} sheet=${view === "sheet"} />`}
    </div>`;
    }}<//>`;
}

// The same events in both views: what was judged in one is judged in the other.
function Events({ route, places: known, sheet }) {
  const queue = useQueue(wanted(route.query, known), sheet ? null : route.rest[0]);
  return html`<${Shown} asked=${queue.asked}>${() => {
    if (queue.items.length === 0) return html`<${Nothing} queue=${queue} query=${route.query} />`;
    return sheet ? html`<${Sheet} queue=${queue} places=${known} />` : html`<${Desk} queue=${queue} places=${known} route=${route} />`;
  }}<//>`;
}

function Nothing({ queue, query }) {
  const pending = (query.get("verdict") ?? "pending") === "pending";
  return html`<${Empty} title=${pending ? T.review.done : T.review.none} text=${pending ? T.review.doneText : T.review.noneText}>
    ${queue.news > 0
      ? html`<button type="button" class="button main" onClick=${queue.takeNews}>${T.review.news(queue.news)}</button>`
      : html`<a class="button" href=${href("review", { verdict: "all" })}>${T.review.showAll}</a>`}<//>`;
}
