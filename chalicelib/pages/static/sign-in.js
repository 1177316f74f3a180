// Sign-in at the user pool, straight from the browser; the token lives in this tab only, unless a page says otherwise.

import { ask, shelf } from "./kit.js";

let place = shelf("sessionStorage");
let pool = null;

export const token = () => place.read("token");

export function signOut() {
  place.drop("token");
}

/** For a page that is opened anew by every code the phone's camera reads. */
export function keepOnThisPhone() {
  place = shelf("localStorage");
}

/** Gives "" when signed in, or the name of the words that say why not. */
export async function signIn(user, password) {
  const answer = await askPool("InitiateAuth", {
    AuthFlow: "USER_PASSWORD_AUTH",
    AuthParameters: { USERNAME: user, PASSWORD: password },
  });
  if (!answer || answer.status >= 500) return "lost";
  const { status, data } = answer;
  if (data.ChallengeName) return "in.challenge";
  if (errorOf(data) === "UserNotConfirmedException") return "in.unconfirmed";
  if (status >= 300 || !data.AuthenticationResult) return "in.refused";
  place.keep("token", data.AuthenticationResult.IdToken);
  return "";
}

/** One operation of the user pool, as its client; null without settings. */
export async function askPool(operation, body) {
  const known = await settings();
  if (!known) return null;
  return ask("POST", new URL("/", known.cognito_endpoint).href, {
    headers: {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": `AWSCognitoIdentityProviderService.${operation}`,
    },
    body: { ClientId: known.user_pool_client_id, ...body },
  });
}

/** The pool names its refusals "UsernameExistsException", some servers with a prefix. */
export const errorOf = (data) => (data.__type ?? "").split("#").pop();

/** GET v1/config, asked once; null while it cannot be had. */
export async function settings() {
  if (!pool) {
    const { status, data } = await ask("GET", "v1/config");
    pool = status === 200 ? data : null;
  }
  return pool;
}

/** What the token says of its owner; nobody is let in by it, it only chooses the buttons. */
export function ownerOf(idToken) {
  try {
    const bytes = Uint8Array.from(atob(idToken.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    const said = JSON.parse(new TextDecoder().decode(bytes));
    return { name: said["cognito:username"] ?? said.sub, groups: said["cognito:groups"] ?? [] };
  } catch {
    return { name: "", groups: [] };
  }
}
