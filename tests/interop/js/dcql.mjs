// Evaluates queries with the library `dcql`: a JSON task on standard input, a JSON result on standard
// output. Each case is a query with the credentials that a wallet holds, or with what it presents.
import { text } from 'node:stream/consumers';
import { DcqlPresentationResult, DcqlQuery } from 'dcql';

function evaluate({ query, credentials }) {
  const parsed = DcqlQuery.parse(query);
  DcqlQuery.validate(parsed);
  const result = DcqlQuery.query(parsed, credentials);
  const matches = Object.entries(result.credential_matches).map(([id, match]) => [
    id,
    (match.valid_credentials ?? []).map((valid) => [
      valid.input_credential_index,
      valid.claims.valid_claim_sets[0].valid_claim_indexes ?? [],
    ]),
  ]);
  return { satisfied: result.can_be_satisfied, matches: Object.fromEntries(matches) };
}

function verify({ query, presentations }) {
  const parsed = DcqlQuery.parse(query);
  const result = DcqlPresentationResult.fromDcqlPresentation(presentations, { dcqlQuery: parsed });
  return { satisfied: result.can_be_satisfied };
}

const { cases } = JSON.parse(await text(process.stdin));
const results = cases.map((one) => (one.presentations ? verify(one) : evaluate(one)));
process.stdout.write(JSON.stringify(results));
