// A role and buildings: what somebody, or a program, may.

import { Choice } from "../../components/field.js";
import { Tick } from "../../components/tick.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

const ROLES = ["viewer", "reviewer", "operator", "admin"];

export const rightsText = (one, buildings) =>
  one.buildings === null ? T.people.everywhere : one.buildings.map((id) => buildings.find((home) => home.id === id)?.name ?? id).join(", ") || T.people.nowhere;

// `rights`: { role, buildings }; nobody gives what they have not.
export function Rights({ rights, change, buildings, me }) {
  const everywhere = me.buildings === null;
  const ticked = (id, on) => change({ ...rights, buildings: on ? [...rights.buildings, id] : rights.buildings.filter((one) => one !== id) });
  return html`<${Choice} label=${T.people.role} hint=${T.people.roles[rights.role]} value=${rights.role} change=${(role) => change({ ...rights, role })}
      options=${ROLES.filter((role) => may(role, me)).map((role) => [role, T.nav.role(role)])} />
    <fieldset class="stack"><legend>${T.people.buildings}</legend>
      ${everywhere && html`<${Tick} label=${T.people.everywhere} checked=${rights.buildings === null} change=${(on) => change({ ...rights, buildings: on ? null : [] })} />`}
      ${rights.buildings !== null && buildings.map((one) => html`<${Tick} key=${one.id} label=${one.name} checked=${rights.buildings.includes(one.id)} change=${(on) => ticked(one.id, on)} />`)}
    </fieldset>`;
}
