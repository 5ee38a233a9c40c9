// One participant of a FROST key, played by @noble/curves: reads a JSON task a line, answers each.
// Bytes are hex. Secrets stay here, as they would on another machine.
import { createInterface } from 'node:readline';
import { ed25519_FROST as frost } from '@noble/curves/ed25519.js';
import { bytesToHex, hexToBytes } from '@noble/curves/utils.js';

const identifierOf = (number) => frost.Identifier.fromNumber(number);
const numberOf = (identifier) => Number.parseInt(identifier.slice(0, 2), 16);
const fromHex = (fields) =>
  Object.fromEntries(Object.entries(fields).map(([i, text]) => [identifierOf(Number(i)), hexToBytes(text)]));
const commitmentOf = ({ identifier, hiding, binding }) => ({
  identifier: identifierOf(identifier),
  hiding: hexToBytes(hiding),
  binding: hexToBytes(binding),
});
const roundOneOf = ({ identifier, commitments, proof }) => ({
  identifier: identifierOf(identifier),
  commitment: commitments.map((point) => hexToBytes(point)),
  proofOfKnowledge: hexToBytes(proof),
});

let own, key, nonces, dealing;

const answers = {
  deal({ identifier, signers }) {
    own = identifierOf(identifier);
    const made = frost.DKG.round1(own, signers);
    dealing = made.secret;
    return {
      commitments: made.public.commitment.map((point) => bytesToHex(point)),
      proof: bytesToHex(made.public.proofOfKnowledge),
    };
  },
  share({ others }) {
    const dealt = frost.DKG.round2(dealing, others.map(roundOneOf));
    return Object.fromEntries(
      Object.entries(dealt).map(([to, { signingShare }]) => [numberOf(to), bytesToHex(signingShare)]),
    );
  },
  finish({ others, received }) {
    const shares = Object.entries(received).map(([from, share]) => ({
      identifier: identifierOf(Number(from)),
      signingShare: hexToBytes(share),
    }));
    key = frost.DKG.round3(dealing, others.map(roundOneOf), shares);
    return {
      public_key: bytesToHex(key.public.commitments[0]),
      verifying_shares: Object.fromEntries(
        Object.entries(key.public.verifyingShares).map(([i, point]) => [numberOf(i), bytesToHex(point)]),
      ),
    };
  },
  commit() {
    const made = frost.commit(key.secret);
    nonces = made.nonces;
    return { hiding: bytesToHex(made.commitments.hiding), binding: bytesToHex(made.commitments.binding) };
  },
  sign({ commitments, message }) {
    const list = commitments.map(commitmentOf);
    return { value: bytesToHex(frost.signShare(key.secret, key.public, nonces, list, hexToBytes(message))) };
  },
  aggregate({ commitments, message, shares }) {
    const list = commitments.map(commitmentOf);
    const signature = frost.aggregate(key.public, list, hexToBytes(message), fromHex(shares));
    const valid = frost.verify(signature, hexToBytes(message), key.public.commitments[0]);
    return { signature: bytesToHex(signature), valid };
  },
  verify_share({ commitments, message, identifier, share }) {
    const list = commitments.map(commitmentOf);
    return {
      valid: frost.verifyShare(key.public, list, hexToBytes(message), identifierOf(identifier), hexToBytes(share)),
    };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { task, ...fields } = JSON.parse(line);
  console.log(JSON.stringify(answers[task](fields)));
}
