// One event after another: its pictures, what is known of it, and what is to be said of it, all by keyboard.

import { Icon } from "../../components/icon.js";
import { toast, toastProblem } from "../../components/toast.js";
import { go } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useEffect, useRef, useState } from "../../ui.js";
import { Facts, inWords } from "./facts.js";
import { Help } from "./help.js";
import { keyOf, useKeys } from "./keys.js";
import { ahead } from "./pictures.js";
import { Troubles } from "./troubles.js";
import { Verdict } from "./verdict.js";
import { Views } from "./views.js";

const AHEAD = 2;

export function Desk({ queue, places, route }) {
  const { items } = queue;
  const query = Object.fromEntries(route.query);
  const [at, setAt] = useState(route.rest[0] ?? items[0].id);
  const found = items.findIndex((one) => one.id === at);
  const index = Math.max(0, found);
  const event = items[index];
  const [step, setStep] = useState(null); // What is being chosen: null, "reason" or "label".
  const [type, setType] = useState(null); // The other type, where it is that.
  const [note, setNote] = useState("");
  const [help, setHelp] = useState(false);
  const [faces, setFaces] = useState(true);
  const noteField = useRef(null);
  const judges = may("reviewer");

  const show = (id) => {
    setAt(id);
    setStep(null);
    setType(null);
    setNote("");
    go(`review/${id}`, query, { replace: true });
  };
  useEffect(() => { if (route.rest[0] && route.rest[0] !== at && items.some((one) => one.id === route.rest[0])) show(route.rest[0]); }, [route.rest[0]]);
  useEffect(() => {
    for (let n = 1; n <= AHEAD; n += 1) ahead(items[index + n]);
    if (index > items.length - 20) queue.longer();
  }, [event.id, items.length]);

  const move = (by) => {
    const next = items[index + by];
    if (next) show(next.id);
    else toast(by > 0 ? T.review.last : T.review.first);
  };
  const say = (said) => {
    if (!judges) return;
    queue.judge(event, { ...said, ...(note.trim() ? { note: note.trim() } : {}) }).catch(toastProblem);
    if (items[index + 1]) show(items[index + 1].id);
    else {
      show(event.id);
      toast(T.review.last);
    }
  };
  const undo = async () => {
    const own = event.review.verdict !== "pending" && !event.saying;
    if (!judges) return;
    if (!queue.canUndo() && !own) {
      toast(T.review.nothingToUndo);
      return;
    }
    const id = await queue.undo(queue.canUndo() ? null : event);
    if (id && items.some((one) => one.id === id)) show(id);
    toast(T.review.undone);
  };
  const acts = {
    next: () => move(1),
    previous: () => move(-1),
    confirm: () => say({ verdict: "confirmed", ...(type && type !== event.type ? { label: type } : {}) }),
    dismiss: () => judges && setStep("reason"),
    reason: (reason) => (reason === "wrong_label" ? setStep("label") : say({ verdict: "dismissed", reason })),
    label: (label) => say({ verdict: "dismissed", reason: "wrong_label", label }),
    type: (one) => setType(one === event.type ? null : one),
    back: () => setStep(step === "label" ? "reason" : null),
    note: () => noteField.current?.focus(),
    faces: () => setFaces(!faces),
    undo,
    help: () => setHelp(true),
  };
  useKeys((key) => keyOf(key, step, event), acts, !help);
  const takeNews = () => {
    const id = queue.takeNews();
    if (id) show(id);
  };

  return html`
    <div class="row progress"><p class="number"><strong>${T.review.progress(index + 1, items.length, queue.more)}</strong></p>
      <progress max=${items.length} value=${index + 1} aria-label=${T.review.progressLabel}></progress>
      ${queue.news > 0 && html`<button type="button" class="button small" onClick=${takeNews}>${T.review.news(queue.news)}</button>`}
      <button type="button" class="plain" onClick=${acts.help}><${Icon} name="help" /><span class="unseen">${T.review.help.title}</span></button></div>
    <p class="unseen" role="status">${T.review.progress(index + 1, items.length, queue.more)}: ${inWords(event, places)}</p>
    <${Troubles} queue=${queue} places=${places} show=${show} />
    <article class="desk" aria-label=${T.review.event(event.id)}>
      <${Views} event=${event} faces=${faces} toggle=${acts.faces} />
      <div class="desk-side">
        <${Verdict} event=${event} step=${step} type=${type} acts=${acts} judges=${judges} ends=${[index === 0, index === items.length - 1]} canUndo=${queue.canUndo()}>
          <label class="field note"><span class="hint">${T.review.note}</span>
            <textarea ref=${noteField} value=${note} maxlength="2000" rows="1" onInput=${(change) => setNote(change.target.value)}
              onKeyDown=${(key) => { if (key.key === "Escape") key.target.blur(); }}></textarea></label>
        <//>
        <${Facts} event=${event} places=${places} />
      </div>
    </article>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}
  `;
}
