// When passages are counted: days of the week, each line from and to.

import { Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Tick } from "../../components/tick.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const TIME = /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/;

export const hoursMistake = (hours) => (hours && hours.some((one) => one.days.length === 0 || !TIME.test(one.from) || !TIME.test(one.to)) ? T.hours.mistake : null);

// `hours`: as the API has them; null: always.
export function Hours({ hours, change, timezone }) {
  const put = (place, changes) => change(hours.map((one, n) => (n === place ? { ...one, ...changes } : one)));
  const added = { days: DAYS.slice(0, 5), from: "08:00", to: "18:00" };
  return html`<fieldset class="hours"><legend>${T.hours.title}</legend>
    <${Tick} label=${T.hours.always} checked=${hours === null} change=${(on) => change(on ? null : [added])} />
    ${hours && html`
      <p class="hint">${T.hours.hint(timezone ?? "")}</p>
      <ul class="stack">${hours.map((one, place) => html`<li key=${place} class="hours-line">
        <fieldset class="days"><legend class="unseen">${T.hours.line(place + 1)}</legend>${DAYS.map((day) => html`<label key=${day} class="day">
          <input type="checkbox" checked=${one.days.includes(day)} onChange=${(event) => put(place, { days: DAYS.filter((other) => (other === day ? event.target.checked : one.days.includes(other))) })} /><span>${T.hours.days[day]}</span></label>`)}</fieldset>
        <${Field} label=${T.hours.from} value=${one.from} placeholder="08:00" maxlength="5" inputmode="numeric" onInput=${(event) => put(place, { from: event.target.value })} />
        <${Field} label=${T.hours.to} value=${one.to} placeholder="18:00" maxlength="5" inputmode="numeric" onInput=${(event) => put(place, { to: event.target.value })} />
        <button type="button" class="plain" aria-label=${T.hours.remove(place + 1)} onClick=${() => change(hours.length > 1 ? hours.filter((_, n) => n !== place) : null)}><${Icon} name="trash" /></button>
      </li>`)}</ul>
      <p><button type="button" class="button small" onClick=${() => change([...hours, added])}><${Icon} name="plus" size=${16} />${T.hours.add}</button></p>`}
  </fieldset>`;
}
