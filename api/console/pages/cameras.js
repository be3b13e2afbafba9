// Cameras: how they fare and how well they see; one of them; adding some; buildings and zones.

import { may } from "../session.js";
import { T } from "../texts.js";
import { html } from "../ui.js";
import { NotAllowed } from "../components/states.js";
import { Add } from "./cameras/add.js";
import { Buildings } from "./cameras/buildings.js";
import { Import } from "./cameras/import.js";
import { List } from "./cameras/list.js";
import { One } from "./cameras/one.js";

const OWN = { new: Add, import: Import, buildings: Buildings };

export default function Cameras({ route }) {
  const [what, part = ""] = route.rest;
  if (!what) return html`<${List} route=${route} />`;
  if (!OWN[what]) return html`<${One} key=${what} id=${what} part=${part} />`;
  return may("operator") ? html`<${OWN[what]} />` : html`<${NotAllowed} role=${T.nav.role("operator")} />`;
}
