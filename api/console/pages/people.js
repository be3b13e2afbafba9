// Who may log in, and which programs may ask.

import { all } from "../api.js";
import { useAsked } from "../asked.js";
import { Shown } from "../components/states.js";
import { T } from "../texts.js";
import { html } from "../ui.js";
import { Accounts } from "./people/accounts.js";
import { Keys } from "./people/keys.js";

async function everybody(signal) {
  const [users, keys, buildings] = await Promise.all(["/users", "/api-keys", "/buildings"].map((path) => all(path, {}, 2000, { signal })));
  return { users, keys, buildings: buildings.sort((one, other) => one.name.localeCompare(other.name)) };
}

export default function People() {
  const asked = useAsked(everybody);
  return html`<div class="page-head"><h1>${T.nav.people}</h1></div>
    <${Shown} asked=${asked}>${(data) => html`
      <${Accounts} users=${data.users} buildings=${data.buildings} again=${asked.again} />
      <${Keys} keys=${data.keys} buildings=${data.buildings} again=${asked.again} />`}<//>`;
}
