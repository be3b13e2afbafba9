// A building's week as a page to print.

import { address } from "../../api.js";
import { Choice, Field } from "../../components/field.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { dateIn, nextDay, weekOf } from "../../when.js";

export function Weekly({ places, building }) {
  const list = [...places.buildings.values()].sort((one, other) => one.name.localeCompare(other.name));
  const [chosen, setChosen] = useState(null);
  const which = chosen ?? (building || list[0]?.id);
  const zone = places.buildings.get(which)?.timezone;
  // The last week that is over.
  const [day, setDay] = useState(nextDay(dateIn(Date.now(), zone), -7));
  const week = weekOf(day);
  if (list.length === 0) return null;
  return html`<section class="card pad block"><h2>${T.reports.weekly}</h2><p class="meaning">${T.reports.weeklyText}</p>
    <div class="filters">
      ${list.length > 1 && html`<${Choice} label=${T.reports.building} value=${which} change=${setChosen} options=${list.map((one) => [one.id, one.name])} />`}
      <${Field} label=${T.reports.weeklyWeek} type="date" value=${day} max=${dateIn(Date.now(), zone)} hint=${week} onChange=${(event) => { if (event.target.value) setDay(event.target.value); }} />
      <a class="button weekly-open" href=${address("/reports/weekly", { building: which, week })} target="_blank" rel="noopener">${T.reports.weeklyOpen}</a>
    </div></section>`;
}
