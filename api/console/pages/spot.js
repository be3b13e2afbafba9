// Passages drawn by lot, judged without knowing what the system made of them: a picture and five keys.

import { get, post } from "../api.js";
import { useAsked } from "../asked.js";
import { Empty, Shown } from "../components/states.js";
import { toastProblem } from "../components/toast.js";
import { count } from "../format.js";
import { href } from "../router.js";
import { T } from "../texts.js";
import { html, useEffect, useState } from "../ui.js";
import { useKeys } from "./review/keys.js";
import { Key } from "./review/verdict.js";

const ANSWERS = ["with_mask", "incorrect_mask", "without_mask", "unknown", "not_a_person"];
const SETTLED = [404, 409]; // Somebody else has checked it, or its time is over.

export default function Spot({ route }) {
  const building = route.query.get("building");
  const asked = useAsked((signal) => get("/spot-checks", { building, limit: 50 }, { signal }), [building]);
  return html`<div class="page-head"><h1>${T.spot.title}</h1><a class="button small" href=${href("review")}>${T.spot.toReview}</a></div>
    <p class="quiet spot-text">${T.spot.text}</p>
    <${Shown} asked=${asked}>${(data) => html`<${Checks} data=${data} again=${asked.again} />`}<//>`;
}

function Checks({ data, again }) {
  const [done, setDone] = useState(0);
  const [gone, setGone] = useState(new Set()); // Answered, or put off.
  const waits = data.items.filter((one) => !gone.has(one.id));
  const [check] = waits;
  const left = Math.max(0, data.waiting - gone.size);
  const away = (id) => setGone((before) => new Set([...before, id]));
  useEffect(() => { if (!check && left > 0) again(); }, [check?.id]);

  const say = (label) => {
    if (!check) return;
    away(check.id);
    setDone((number) => number + 1);
    post(`/spot-checks/${check.id}`, { label }).catch((error) => {
      setDone((number) => number - 1);
      if (SETTLED.includes(error.status)) return;
      // It waits again.
      setGone((before) => new Set([...before].filter((one) => one !== check.id)));
      toastProblem(error);
    });
  };
  useKeys((key) => (ANSWERS[key - 1] ? ["say", ANSWERS[key - 1]] : key === "j" ? ["later"] : null), { say, later: () => check && away(check.id) });
  if (!check) return html`<${Empty} title=${T.spot.empty} text=${done ? T.spot.doneText : T.spot.emptyText} />`;
  return html`<section class="spot" aria-label=${T.spot.question}>
    <p class="row"><strong class="number" role="status">${T.spot.progress(count(done), count(left))}</strong><span class="hint">${check.camera_name ?? ""}</span></p>
    <${Picture} key=${check.id} check=${check} />
    <div class="spot-answers" role="group" aria-label=${T.spot.question}><h2>${T.spot.question}</h2>
      ${ANSWERS.map((one, n) => html`<button key=${one} type="button" class="button" onClick=${() => say(one)}>${T.spot.labels[one]}<${Key}>${n + 1}<//></button>`)}
      <button type="button" class="plain" onClick=${() => away(check.id)}>${T.spot.skip}<${Key}>j<//></button></div>
  </section>`;
}

// Not before it is shown: who looks at a picture is noted.
function Picture({ check }) {
  const [state, setState] = useState({});
  useEffect(() => {
    let url = null;
    const mine = new AbortController();
    get(`/spot-checks/${check.id}/picture`, {}, { as: "blob", signal: mine.signal }).then((blob) => {
      url = URL.createObjectURL(blob);
      setState({ url });
    }, (error) => { if (!mine.signal.aborted) setState({ error }); });
    return () => {
      mine.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, []);
  return html`<figure class="screen spot-picture">
    ${state.url && html`<img src=${state.url} alt=${T.spot.picture} />`}
    ${state.error && html`<p role="alert">${state.error.message}</p>`}
  </figure>`;
}
