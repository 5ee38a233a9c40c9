// A wallet by @openid4vc/openid4vci: takes an offer as JSON on stdin, writes what it received.
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { clientAuthenticationAnonymous, setGlobalConfig } from "@openid4vc/oauth2";
import { Openid4vciClient } from "@openid4vc/openid4vci";

const task = JSON.parse(readFileSync(0, "utf8"));
setGlobalConfig({ allowInsecureUrls: true });

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey, jwk: publicKey.export({ format: "jwk" }) };
}

const keys = [newKey(), newKey()];
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
const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata });
const credentialConfigurationId = credentialOffer.credential_configuration_ids[0];
const jwt = [];
for (const { jwk } of keys) {
  const proof = await client.createCredentialRequestJwtProof({
    issuerMetadata,
    credentialConfigurationId,
    nonce,
    issuedAt: new Date(task.now_ms),
    signer: { method: "jwk", alg: "ES256", publicJwk: jwk },
  });
  jwt.push(proof.jwt);
}
const accessToken = accessTokenResponse.access_token;
const { credentialResponse } = await client.retrieveCredentials({
  issuerMetadata,
  credentialConfigurationId,
  proofs: { jwt },
  accessToken,
});
await client.sendNotification({
  issuerMetadata,
  accessToken,
  notification: {
    notificationId: credentialResponse.notification_id,
    event: "credential_accepted",
  },
});
console.log(
  JSON.stringify({
    credentials: credentialResponse.credentials.map(({ credential }) => credential),
    keys: keys.map(({ jwk }) => jwk),
  }),
);
