// One press of a button and its truth: what we know about it, at every moment, and never more.

import { ask, language, Lost, pause } from "./kit.js";

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

/** Sends `action` and calls `tell({phase, message, final})` at every step until the last one. */
export async function press(action, tell) {
  const pressed = performance.now();
  const age = () => performance.now() - pressed;
  if (!navigator.onLine) return tell({ phase: "nonet", final: true });
  tell({ phase: "sending" });
  const answer = await send(action, age, tell);
  if (answer === null) return tell({ phase: "notsure", final: true });
  const { status, wait, data } = answer;
  if (status < 300) return follow(data, age, tell);
  if (status === 401 || /^GRANT_/.test(data.code)) return tell({ phase: "ended", final: true });
  if (status === 429) return tell({ phase: "wait", seconds: wait || 10, final: true });
  tell({ phase: "refused", message: data.messages?.[language()], final: true });
}

/** The same key every time, so that however often it arrives it is one command. null: we cannot know. */
async function send(action, age, tell) {
  const key = crypto.randomUUID();
  for (let tries = 1; age() < SEND_FOR_MS; tries += 1) {
    try {
      const timeout = Math.max(1000, SEND_FOR_MS - age());
      const answer = await ask("POST", "v1/smart-key/commands", { body: { action }, key, timeout });
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

async function follow(command, age, tell) {
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
    command = await look(command);
    if (command === null) return tell({ phase: "ended", final: true });
  }
}

/** The command as the server knows it now; as we knew it when no answer comes; null when the session is over. */
async function look(command) {
  try {
    const answer = await ask("GET", `v1/smart-key/commands/${encodeURIComponent(command.command_id)}`);
    if (answer.status === 401) return null;
    return answer.status === 200 ? { ...command, ...answer.data } : command;
  } catch (problem) {
    if (problem instanceof Lost) return command;
    throw problem;
  }
}

function stepOf({ state, reason, message, may_have_executed: maybe }) {
  const final = FINAL.includes(state);
  let phase = PHASES[state] ?? "sending";
  if (phase === "refused" && maybe) phase = "notsure";
  if (state === "NOT_SENT" && OUT_OF_REACH.includes(reason)) phase = "unreachable";
  return { phase, reason, message, final };
}
