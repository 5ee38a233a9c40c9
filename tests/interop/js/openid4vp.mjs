// Plays a wallet or a verifier with @openid4vc/openid4vp: a JSON task on standard input, a JSON result
// on standard output. Keys and signatures are Node's own.
import { createHash, createPrivateKey, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Openid4vpClient, Openid4vpVerifier } from '@openid4vc/openid4vp';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const certificateOf = (der) => new X509Certificate(Buffer.from(der, 'base64'));
const p1363 = (key) => ({ key, dsaEncoding: 'ieee-p1363' });
const unused = () => {
  throw new Error('not used');
};

const keyOf = (signer) =>
  signer.method === 'x5c'
    ? certificateOf(signer.x5c[0]).publicKey
    : createPublicKey({
        key: JSON.parse(Buffer.from(signer.didUrl.split('#')[0].split(':')[2], 'base64url')),
        format: 'jwk',
      });

const callbacks = (privateKey, requestObject) => ({
  hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
  fetch: async () =>
    new Response(requestObject, { headers: { 'content-type': 'application/oauth-authz-req+jwt' } }),
  verifyJwt: (signer, { compact }) => {
    const key = keyOf(signer);
    const [header, payload, signature] = compact.split('.');
    const data = Buffer.from(`${header}.${payload}`);
    const verified = verify('sha256', data, p1363(key), Buffer.from(signature, 'base64url'));
    return { verified, signerJwk: key.export({ format: 'jwk' }) };
  },
  signJwt: (_signer, { header, payload }) => {
    const data = `${encode(header)}.${encode(payload)}`;
    const signature = sign('sha256', Buffer.from(data), p1363(privateKey)).toString('base64url');
    const signerJwk = createPublicKey(privateKey).export({ format: 'jwk' });
    return { jwt: `${data}.${signature}`, signerJwk };
  },
  getX509CertificateMetadata: (der) => {
    const names = certificateOf(der).subjectAltName.split(', ');
    const of = (kind) => names.filter((n) => n.startsWith(kind)).map((n) => n.slice(kind.length));
    return { sanDnsNames: of('DNS:'), sanUriNames: of('URI:') };
  },
  decryptJwe: unused,
  encryptJwe: unused,
  generateRandom: unused,
});

// The wallet: resolves a request and answers it with these presentations.
async function answer({ link, requestObject, presentations }) {
  const client = new Openid4vpClient({ callbacks: callbacks(undefined, requestObject) });
  const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: link });
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: params,
  });
  const response = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: resolved.authorizationRequestPayload,
    authorizationResponsePayload: { vp_token: presentations },
  });
  return {
    prefix: resolved.client.prefix,
    query: resolved.dcql.query,
    transactions: (resolved.transactionData ?? []).map((entry) => entry.transactionData.type),
    response: response.authorizationResponsePayload,
  };
}

// The verifier: makes a signed request.
async function ask({ keyPem, x5c, requestUri, payload }) {
  const verifier = new Openid4vpVerifier({ callbacks: callbacks(createPrivateKey(keyPem)) });
  const made = await verifier.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: payload,
    jar: {
      requestUri,
      expiresInSeconds: 300,
      jwtSigner: { method: 'x5c', x5c, alg: 'ES256' },
      additionalJwtPayload: { aud: 'https://self-issued.me/v2' },
    },
  });
  return { link: made.authorizationRequest, requestObject: made.jar.authorizationRequestJwt };
}

// The verifier: reads a response.
async function accept({ payload, response }) {
  const verifier = new Openid4vpVerifier({ callbacks: callbacks() });
  const parsed = await verifier.parseOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: payload,
    authorizationResponse: response,
  });
  return { type: parsed.type, presentations: parsed.dcql.presentations };
}

const { step, nowMs, ...task } = JSON.parse(await text(process.stdin));
// The library has no other clock than this one.
globalThis.Date = class extends Date {
  constructor(...values) {
    super(...(values.length ? values : [nowMs]));
  }
  static now() {
    return nowMs;
  }
};
const result = await { answer, ask, accept }[step](task);
process.stdout.write(JSON.stringify(result));
