// Issues, presents or verifies one credential with @sd-jwt/sd-jwt-vc: a JSON task on standard input,
// a JSON result on standard output.
import { text } from 'node:stream/consumers';
import { digest, ES256, generateSalt, getSigner, getVerifier } from '@sd-jwt/crypto-nodejs';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';

const ED25519 = { name: 'Ed25519' };
const signerFor = (jwk) =>
  jwk.kty === 'EC' ? ES256.getSigner(jwk) : getSigner(jwk, ED25519, ED25519);
const verifierFor = (jwk) =>
  jwk.kty === 'EC' ? ES256.getVerifier(jwk) : getVerifier(jwk, ED25519, ED25519);
const algorithmOf = (jwk) => (jwk.kty === 'EC' ? 'ES256' : 'EdDSA');
const common = { hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt };

async function issue({ issuerKey, claims, frame }) {
  const issuer = new SDJwtVcInstance({
    ...common,
    signer: await signerFor(issuerKey),
    signAlg: algorithmOf(issuerKey),
  });
  return { credential: await issuer.issue(claims, frame) };
}

async function present({ credential, holderKey, frame, keyBinding }) {
  const holder = new SDJwtVcInstance({
    ...common,
    kbSigner: await signerFor(holderKey),
    kbSignAlg: algorithmOf(holderKey),
  });
  return { presentation: await holder.present(credential, frame, { kb: { payload: keyBinding } }) };
}

async function verify({ presentation, issuerKey, nonce, now }) {
  const verifier = new SDJwtVcInstance({
    ...common,
    verifier: await verifierFor(issuerKey),
    kbVerifier: async (data, signature, payload) =>
      (await verifierFor(payload.cnf.jwk))(data, signature),
  });
  const options = { currentDate: now, ...(nonce && { keyBindingNonce: nonce }) };
  const { payload, header, kb } = await verifier.verify(presentation, options);
  return { claims: payload, header, keyBinding: kb?.payload };
}

const task = JSON.parse(await text(process.stdin));
const actions = { issue, present, verify };
try {
  process.stdout.write(JSON.stringify(await actions[task.action](task)));
} catch (error) {
  process.stdout.write(JSON.stringify({ error: error.message }));
}
