// Recorded footage: what is analysed, how far it is, what came of it; and giving more.

import { useAsked } from "../asked.js";
import { Shown } from "../components/states.js";
import { may } from "../session.js";
import { T } from "../texts.js";
import { html } from "../ui.js";
import { Form } from "./footage/form.js";
import { List } from "./footage/list.js";
import { One } from "./footage/one.js";
import { places } from "./review/places.js";

export default function Footage({ route }) {
  const known = useAsked(places, []);
  const [id] = route.rest;
  if (id) return html`<${One} key=${id} id=${id} known=${known} />`;
  return html`<div class="page-head"><h1>${T.footage.title}</h1></div>
    <p class="lead">${T.footage.text}</p>
    <${Shown} asked=${known}>${(found) => html`
      ${may("operator") && html`<${Form} places=${found} />`}
      <${List} query=${route.query} places=${found} />`}<//>`;
}
