// Sign-in at the user pool, straight from the browser; the token lives in this tab only.

import { ask, shelf } from "./kit.js";

const tab = shelf("sessionStorage");
let pool = null;

export const token = () => tab.read("token");

export function signOut() {
  tab.drop("token");
}

/** Gives "" when signed in, or the name of the words that say why not. */
export async function signIn(user, password) {
  pool ??= await settings();
  if (!pool) return "lost";
  const { status, data } = await ask("POST", new URL("/", pool.cognito_endpoint).href, {
    headers: {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
    },
    body: {
      AuthFlow: "USER_PASSWORD_AUTH",
      ClientId: pool.user_pool_client_id,
      AuthParameters: { USERNAME: user, PASSWORD: password },
    },
  });
  if (status >= 500) return "lost";
  if (data.ChallengeName) return "in.challenge";
  if (status >= 300 || !data.AuthenticationResult) return "in.refused";
  tab.keep("token", data.AuthenticationResult.IdToken);
  return "";
}

async function settings() {
  const { status, data } = await ask("GET", "v1/config");
  return status === 200 ? data : null;
}
