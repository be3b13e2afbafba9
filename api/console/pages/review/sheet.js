// Many events side by side: some are chosen, and one thing is said of all of them.

import { Icon } from "../../components/icon.js";
import { LabelName } from "../../components/label.js";
import { toast, toastProblem } from "../../components/toast.js";
import { moment } from "../../format.js";
import { go, href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { classes, html, useEffect, useRef, useState } from "../../ui.js";
import { cameraOf, saidWords, zoneOf } from "./facts.js";
import { Help } from "./help.js";
import { REASONS, useKeys } from "./keys.js";
import { usePicture } from "./pictures.js";
import { Troubles } from "./troubles.js";
import { Choices, Key } from "./verdict.js";

export function Sheet({ queue, places }) {
  const { items } = queue;
  const [chosen, setChosen] = useState(new Set());
  const [step, setStep] = useState(null);
  const [busy, setBusy] = useState(false);
  const [help, setHelp] = useState(false);
  const from = useRef(null);
  const root = useRef(null);
  const judges = may("reviewer");
  const picked = items.filter((one) => chosen.has(one.id));

  // With the shift key all between the last one that was chosen and this one.
  const choose = (id, far) => {
    const next = new Set(chosen);
    const on = !chosen.has(id);
    const [start, end] = [from.current ?? id, id].map((one) => items.findIndex((event) => event.id === one)).sort((one, other) => one - other);
    const some = far && start >= 0 ? items.slice(start, end + 1).map((one) => one.id) : [id];
    for (const one of some) {
      if (on) next.add(one);
      else next.delete(one);
    }
    from.current = id;
    setChosen(next);
  };
  const say = async (said) => {
    if (!judges || picked.length === 0 || busy) return;
    setStep(null);
    setBusy(true);
    try {
      const done = await queue.judgeAll(picked, said);
      setChosen(new Set());
      toast(T.review.judged(done, picked.length), { action: T.review.undo, act: undo });
    } catch (error) {
      toastProblem(error);
    }
    setBusy(false);
  };
  const undo = async () => {
    if (!queue.canUndo()) return;
    await queue.undo();
    toast(T.review.undone);
  };
  const move = (by) => {
    const boxes = [...root.current.querySelectorAll("input")];
    boxes[Math.min(boxes.length - 1, Math.max(0, boxes.indexOf(document.activeElement) + by))]?.focus();
  };
  const acts = {
    next: () => move(1),
    previous: () => move(-1),
    choose: () => { if (root.current.contains(document.activeElement)) document.activeElement.click(); },
    confirm: () => say({ verdict: "confirmed" }),
    dismiss: () => picked.length && setStep("reason"),
    reason: (reason) => (reason === "wrong_label" ? setStep("label") : say({ verdict: "dismissed", reason })),
    label: (label) => say({ verdict: "dismissed", reason: "wrong_label", label }),
    back: () => setStep(step === "label" ? "reason" : null),
    undo,
    help: () => setHelp(true),
  };
  useKeys((key) => {
    if (step && key === "Escape") return ["back"];
    if (step === "reason" && REASONS[key - 1]) return ["reason", REASONS[key - 1]];
    if (step === "label" && Object.keys(T.labels)[key - 1]) return ["label", Object.keys(T.labels)[key - 1]];
    const act = { j: "next", k: "previous", x: "choose", c: "confirm", d: "dismiss", u: "undo", "?": "help" }[key];
    return act && [act];
  }, acts, !help);
  const all = picked.length === items.length;

  return html`
    <div class="row bulk card pad"><p role="status" class="number">${T.review.chosen(picked.length, items.length, queue.more)}</p>
      <button type="button" class="button small" onClick=${() => setChosen(all ? new Set() : new Set(items.map((one) => one.id)))}>${all ? T.review.noneOfThem : T.review.allOfThem}</button>
      ${judges && !step && html`<button type="button" class="button small main" disabled=${!picked.length || busy} onClick=${acts.confirm}>${T.review.confirm}<${Key}>c<//></button>
        <button type="button" class="button small danger" disabled=${!picked.length || busy} onClick=${acts.dismiss}>${T.review.dismiss}<${Key}>d<//></button>
        <button type="button" class="button small" disabled=${!queue.canUndo() || busy} onClick=${undo}>${T.review.undo}<${Key}>u<//></button>`}
      ${step && html`<${Choices} key=${step} event=${null} step=${step} acts=${acts} />`}
      ${queue.news > 0 && html`<button type="button" class="button small" onClick=${queue.takeNews}>${T.review.news(queue.news)}</button>`}
      <button type="button" class="plain" onClick=${acts.help}><${Icon} name="help" /><span class="unseen">${T.review.help.title}</span></button></div>
    <${Troubles} queue=${queue} places=${places} show=${(id) => go(`review/${id}`, { verdict: "all" })} />
    <ul class="sheet-cards" ref=${root}>${items.map((event) => html`<li key=${event.id}><${Card} event=${event} places=${places} chosen=${chosen.has(event.id)} choose=${choose} /></li>`)}</ul>
    ${queue.more && html`<p class="actions"><button type="button" class="button" onClick=${queue.longer}>${T.table.more}</button></p>`}
    ${help && html`<${Help} sheet close=${() => setHelp(false)} />`}
  `;
}

function Card({ event, places, chosen, choose }) {
  const root = useRef(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    // Only what comes into view is looked at, and noted as that.
    const watcher = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) setNear(true); });
    watcher.observe(root.current);
    return () => watcher.disconnect();
  }, []);
  const { url, error } = usePicture(event, "closeup", near);
  const judged = event.review.verdict !== "pending";
  return html`<div class=${classes("card", "event-card", chosen && "chosen", judged && "judged")} ref=${root}>
    <label onClick=${(click) => { if (click.shiftKey) { click.preventDefault(); choose(event.id, true); } }}>
      <span class="screen square">${url && !error ? html`<img src=${url} alt="" />` : html`<span>${error?.message ?? (event.snapshot_url ? "" : T.review.noPicture)}</span>`}</span>
      <span class="row"><input type="checkbox" checked=${chosen} onChange=${() => choose(event.id, false)} /><${LabelName} label=${event.type} /></span>
      <span class="hint">${cameraOf(event, places)}<br />${moment(event.started_at, zoneOf(event, places))}</span>
      ${judged && html`<span class="given" data-verdict=${event.review.verdict}>${saidWords(event.review)}</span>`}
    </label>
    <a href=${href(`review/${event.id}`, { verdict: judged ? "all" : "" })}>${T.review.open}<span class="unseen"> ${event.id}</span></a></div>`;
}
