// One press of a button and its truth: what we know about it, at every moment, and never more.

import { ask, Lost, pause } from "./kit.js";

const SEND_FOR_MS = 10_000; // a command is sent within this time of the press or not at all: nobody wants it later
const ANSWER_DUE_MS = 20_000; // a car answers within its command's 15 s life; after that we are not sure
const FOLLOW_FOR_MS = 95_000; // until the server's own last word (life + 60 s of grace)
const FIRST_LOOK_MS = 400;
const SLOWEST_LOOK_MS = 4_000;

const PHASES = {
  REQUESTED: "sending",
  SENT: "sent",
  DELIVERED: "delivered",
  SUCCEEDED: "done",
  ALREADY_DONE: "already",
  REJECTED: "refused",
  FAILED: "refused",
  NOT_SENT: "refused",
  UNKNOWN: "notsure",
  UNKNOWN_FINAL: "notsure",
};
const FINAL = ["SUCCEEDED", "ALREADY_DONE", "REJECTED", "FAILED", "NOT_SENT", "UNKNOWN_FINAL"];
const OUT_OF_REACH = ["VEHICLE_OFFLINE", "VEHICLE_ASLEEP"];
const PROVE_AGAIN = "STEP_UP_REQUIRED";

/**
 * Sends `action` and calls `tell({phase, reason, messages, final})` at every step until the last one.
 * `door`: {path, token(), where()}: where it is sent, by whom, and a promise of where they stand, or null.
 */
export async function press(action, door, tell) {
  const pressed = performance.now();
  const age = () => performance.now() - pressed;
  if (!navigator.onLine) return tell({ phase: "nonet", final: true });
  tell({ phase: "sending" });
  const answer = await send(action, door, age, tell);
  if (answer === null) return tell({ phase: "notsure", final: true });
  const { status, data } = answer;
  return status < 300 ? follow(data, door, age, tell) : tell(refusal(answer));
}

/** The same key every time, so that however often it arrives it is one command. null: we cannot know. */
async function send(action, { path, token, where }, age, tell) {
  const key = crypto.randomUUID();
  const position = await where();
  const body = position ? { action, position } : { action };
  for (let tries = 1; age() < SEND_FOR_MS; tries += 1) {
    try {
      const timeout = Math.max(1000, SEND_FOR_MS - age());
      const answer = await ask("POST", path, { body, key, token: token(), timeout });
      const settled = answer.status < 500 && answer.status !== 409;
      if (settled || answer.data.messages) return answer; // with messages it is a refusal, not a fault
    } catch (problem) {
      if (!(problem instanceof Lost)) throw problem;
    }
    tell({ phase: "sending", slow: true });
    await pause(Math.min(300 * 2 ** tries, 2000));
  }
  return null;
}

/** Nothing was sent to the car. */
function refusal({ status, wait, data: { code: reason, messages } }) {
  const final = true;
  if (status === 401 || /^(GRANT_EXPIRED|GRANT_REVOKED|NOT_YET_VALID|NO_SMART_KEY)$/.test(reason)) return { phase: "ended", final };
  if (reason === PROVE_AGAIN) return { phase: "prove", final };
  if (status === 429) return { phase: "wait", seconds: wait || 10, final };
  return { phase: "refused", reason, messages, final };
}

async function follow(command, door, age, tell) {
  let wait = FIRST_LOOK_MS;
  let doubted = false;
  for (;;) {
    const step = stepOf(command);
    const overdue = !step.final && age() > ANSWER_DUE_MS;
    if (overdue || step.phase === "notsure") doubted = true;
    if (age() > FOLLOW_FOR_MS && !step.final) return tell({ phase: "notsure", final: true });
    tell(overdue ? { phase: "notsure" } : { ...step, late: doubted || command.late });
    if (step.final) return;
    await pause(wait);
    wait = Math.min(wait * 1.4, SLOWEST_LOOK_MS);
    command = await look(command, door);
    if (command === null) return tell({ phase: "ended", final: true });
  }
}

/** The command as the server knows it now; as we knew it when no answer comes; null when the session is over. */
async function look(command, { path, token }) {
  try {
    const answer = await ask("GET", `${path}/${encodeURIComponent(command.command_id)}`, { token: token() });
    if (answer.status === 401) return null;
    return answer.status === 200 ? { ...command, ...answer.data } : command;
  } catch (problem) {
    if (problem instanceof Lost) return command;
    throw problem;
  }
}

function stepOf({ state, reason, messages, message, may_have_executed: maybe, last_seen: seen }) {
  const final = FINAL.includes(state);
  let phase = PHASES[state] ?? "sending";
  if (phase === "refused" && maybe) phase = "notsure";
  if (state === "NOT_SENT" && OUT_OF_REACH.includes(reason)) phase = "unreachable";
  if (state === "NOT_SENT" && reason === PROVE_AGAIN) phase = "prove";
  return { phase, reason, messages: messages ?? { ko: message, en: message }, seen, final };
}
