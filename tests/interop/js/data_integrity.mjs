// Issues, presents or verifies with @digitalbazaar/vc and its suite eddsa-jcs-2022: a JSON task on
// standard input, a JSON result on standard output. Documents are loaded from the task alone.
import { text } from 'node:stream/consumers';
import { DataIntegrityProof } from '@digitalbazaar/data-integrity';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {
  createSignCryptosuite,
  createVerifyCryptosuite,
} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';

const task = JSON.parse(await text(process.stdin));

const documentLoader = async (url) => {
  const document = task.documents?.[url];
  if (!document) throw new Error(`not in the task: ${url}`);
  return { contextUrl: null, documentUrl: url, document };
};

async function signer({ key }) {
  const pair = await Ed25519Multikey.from(key);
  return new DataIntegrityProof({ signer: pair.signer(), cryptosuite: createSignCryptosuite() });
}

const verifier = () => new DataIntegrityProof({ cryptosuite: createVerifyCryptosuite() });

async function generate({ controller }) {
  const pair = await Ed25519Multikey.generate();
  const { publicKeyMultibase } = pair;
  const did = `did:key:${publicKeyMultibase}`;
  pair.controller = controller ?? did;
  pair.id = `${did}#${publicKeyMultibase}`;
  return pair.export({ publicKey: true, secretKey: true });
}

const issue = async ({ credential }) =>
  vc.issue({ credential, suite: await signer(task), documentLoader });

async function present({ credentials, holder, challenge, domain }) {
  const presentation = vc.createPresentation({ verifiableCredential: credentials, holder });
  presentation['@context'] = ['https://www.w3.org/ns/credentials/v2'];
  const suite = await signer(task);
  return vc.signPresentation({ presentation, suite, challenge, domain, documentLoader });
}

async function verify({ credential, now }) {
  const result = await vc.verifyCredential({ credential, suite: verifier(), documentLoader, now });
  return { verified: result.verified, error: String(result.error?.errors?.[0] ?? '') };
}

async function verifyPresentation({ presentation, challenge, domain, now }) {
  const options = { presentation, challenge, domain, suite: verifier(), documentLoader, now };
  const result = await vc.verify(options);
  return { verified: result.verified, error: String(result.error?.errors?.[0] ?? '') };
}

const actions = { generate, issue, present, verify, verifyPresentation };
try {
  process.stdout.write(JSON.stringify(await actions[task.action](task)));
} catch (error) {
  process.stdout.write(JSON.stringify({ error: String(error.stack) }));
}
