// A wallet by @openid4vc/openid4vci: takes an offer as JSON on stdin, writes what it received.
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { clientAuthenticationAnonymous, Oauth2Client, setGlobalConfig } from "@openid4vc/oauth2";
import { Openid4vciClient } from "@openid4vc/openid4vci";

const task = JSON.parse(readFileSync(0, "utf8"));
setGlobalConfig({ allowInsecureUrls: true });

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey, jwk: publicKey.export({ format: "jwk" }) };
}

const keys = [newKey(), newKey(), newKey()];
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const callbacks = {
  clientAuthentication: clientAuthenticationAnonymous(),
  hash: (data, algorithm) => createHash(algorithm.replace("-", "")).update(data).digest(),
  generateRandom: (length) => randomBytes(length),
  signJwt: (signer, { header, payload }) => {
    const input = `${encode(header)}.${encode(payload)}`;
    const key = keys.find(({ jwk }) => jwk.x === signer.publicJwk.x);
    const options = { key: key.privateKey, dsaEncoding: "ieee-p1363" };
    const signature = sign("sha256", Buffer.from(input), options).toString("base64url");
    return { jwt: `${input}.${signature}`, signerJwk: key.jwk };
  },
  verifyJwt: () => ({ verified: false }),
  decryptJwe: () => ({ decrypted: false }),
  encryptJwe: () => {
    throw new Error("not asked for");
  },
};

const client = new Openid4vciClient({ callbacks });
const credentialOffer = await client.resolveCredentialOffer(task.offer);
const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
  credentialOffer,
  issuerMetadata,
  txCode: task.tx_code,
});
const credentialConfigurationId = credentialOffer.credential_configuration_ids[0];

async function retrieve(accessToken, holderKeys) {
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata });
  const jwt = [];
  for (const { jwk } of holderKeys) {
    const proof = await client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId,
      nonce,
      issuedAt: new Date(task.now_ms),
      signer: { method: "jwk", alg: "ES256", publicJwk: jwk },
    });
    jwt.push(proof.jwt);
  }
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    credentialConfigurationId,
    proofs: { jwt },
    accessToken,
  });
  return credentialResponse;
}

const accessToken = accessTokenResponse.access_token;
const credentialResponse = await retrieve(accessToken, keys.slice(0, 2));
await client.sendNotification({
  issuerMetadata,
  accessToken,
  notification: {
    notificationId: credentialResponse.notification_id,
    event: "credential_accepted",
  },
});
const refreshed = await new Oauth2Client({ callbacks }).retrieveRefreshTokenAccessToken({
  authorizationServerMetadata: issuerMetadata.authorizationServers[0],
  refreshToken: accessTokenResponse.refresh_token,
});
const again = await retrieve(refreshed.accessTokenResponse.access_token, keys.slice(2));
console.log(
  JSON.stringify({
    credentials: [...credentialResponse.credentials, ...again.credentials].map(
      ({ credential }) => credential,
    ),
    refresh_tokens: [
      accessTokenResponse.refresh_token,
      refreshed.accessTokenResponse.refresh_token,
    ],
    keys: keys.map(({ jwk }) => jwk),
  }),
);
