// The account: a sign-in, or a new one with the code from the email. The password stays in its field and in this page's memory.

import { clearFailure, fail, find, Lost, put, show, shown, submitting, word } from "./kit.js";
import { draft, keep } from "./plans-draft.js";
import { askPool, errorOf, signIn } from "./sign-in.js";

const STRONG = /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d).{12,}$/;
const WRONG = {
  InvalidPasswordException: ["password-error", "account.password.shape", "password"],
  InvalidParameterException: ["email-error", "account.email.shape", "email"],
  CodeMismatchException: ["code-error", "code.wrong", "code"],
  ExpiredCodeException: ["code-error", "code.old", "code"],
};
const OFTEN = ["LimitExceededException", "TooManyRequestsException", "TooManyFailedAttemptsException"];

let password = ""; // between the sign-up and its code
let goTo = () => {};

export function showAccount() {
  if (shown() === "account" || (shown() === "code" && password)) return;
  find("email").value = draft.email;
  drawAccount();
  show("account");
}

export function drawAccount() {
  const known = kind() === "known";
  find("password-hint").hidden = known;
  find("password").autocomplete = known ? "current-password" : "new-password";
  put("code-lead", word("code.lead", { email: draft.email }));
}

export function listenToAccount({ go }) {
  goTo = go;
  submitting(find("account-form"), find("account-error"), enter);
  submitting(find("code-form"), find("code-error"), confirm);
  find("account-form").addEventListener("change", ({ target }) => {
    if (target.name !== "kind") return;
    clearFailure(find("account-form"));
    drawAccount();
  });
  find("email").addEventListener("input", ({ target }) => keep({ email: target.value.trim() }));
  find("code-again").addEventListener("click", sendAgain);
}

const kind = () => find("account-form").elements.kind.value;

async function enter() {
  if (!/^\S+@\S+\.\S+$/.test(draft.email)) return fail(find("email-error"), "account.email.shape", find("email"));
  if (kind() === "known") return known(find("password").value);
  if (!STRONG.test(find("password").value)) return fail(find("password-error"), "account.password.shape", find("password"));
  await create(find("password").value);
}

async function create(secret) {
  const answer = await askPool("SignUp", {
    Username: draft.email,
    Password: secret,
    UserAttributes: [{ Name: "email", Value: draft.email }],
  });
  if (answer?.status === 200) return answer.data.UserConfirmed ? known(secret) : askForCode(secret);
  if (errorOf(answer?.data ?? {}) !== "UsernameExistsException") return refused(answer, "account-error");
  // A sign-up whose answer was lost is this one too: its password opens it.
  if (!(await signIn(draft.email, secret))) return entered();
  find("account-form").elements.kind.value = "known";
  drawAccount();
  fail(find("account-error"), "account.exists", find("password"));
}

async function known(secret) {
  const why = await signIn(draft.email, secret);
  if (why === "in.unconfirmed") return askForCode(secret);
  if (why) return fail(find("account-error"), why, why === "in.refused" ? find("password") : null);
  entered();
}

function entered() {
  password = "";
  find("password").value = "";
  find("code").value = "";
  goTo(draft.back ?? "drivers");
}

function askForCode(secret) {
  password = secret;
  drawAccount();
  show("code");
}

async function confirm() {
  const answer = await askPool("ConfirmSignUp", { Username: draft.email, ConfirmationCode: find("code").value.trim() });
  // Confirmed already, by a request whose answer was lost.
  const settled = answer?.status === 200 || errorOf(answer?.data ?? {}) === "NotAuthorizedException";
  if (!settled) return refused(answer, "code-error");
  if (!password || (await signIn(draft.email, password))) {
    password = "";
    show("account");
    find("account-form").elements.kind.value = "known";
    drawAccount();
    return fail(find("account-error"), "account.confirmed", find("password"));
  }
  entered();
}

async function sendAgain() {
  put("code-said", "");
  try {
    const answer = await askPool("ResendConfirmationCode", { Username: draft.email });
    if (answer?.status === 200) put("code-said", word("code.sent"));
    else refused(answer, "code-error");
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    fail(find("code-error"), "lost");
  }
}

function refused(answer, place) {
  const what = errorOf(answer?.data ?? {});
  if (OFTEN.includes(what)) return fail(find(place), "wait", null, 60);
  const [at, name, input] = WRONG[what] ?? [place, "lost"];
  fail(find(at), name, input && find(input));
}
