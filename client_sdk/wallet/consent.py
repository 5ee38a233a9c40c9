"""What a consent screen shows: who asks, for what, and exactly what an answer would disclose."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from chaincode.encoding import JsonValue
from client_sdk.errors import ReplyAddress, RequestError
from client_sdk.face.demand import FaceDemand
from client_sdk.formats import find_format
from client_sdk.openid4vp.claims_path import ClaimsPath
from client_sdk.openid4vp.credential_view import view_held
from client_sdk.openid4vp.dcql_query import CredentialQuery
from client_sdk.openid4vp.dcql_selection import AnswerableSet, find_sets, select_claims
from client_sdk.openid4vp.grant_offer import GrantOffer
from client_sdk.openid4vp.signed_request import VerifiedRequest
from client_sdk.openid4vp.verifier_registration import AskedClaim
from client_sdk.strict_json import text_list
from client_sdk.waci.present_proof import WaciVerifier
from client_sdk.wallet.records import StoredCredential

# By the curve of a key: the algorithm, and its fully specified name (RFC 9864).
_ALGORITHMS: Final = {
    "Ed25519": frozenset({"EdDSA", "Ed25519"}),
    "P-256": frozenset({"ES256", "ESP256"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAttribute:
    """One attribute that an answer would show.

    Attributes:
        path: Where it is in the credential.
        value: What the verifier would see.
    """

    path: ClaimsPath
    value: JsonValue = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCredential:
    """One credential that answers one credential query, and what of it would be shown.

    Attributes:
        query_id: The credential query.
        credential: The credential.
        asked: The claims of the combination that it answers, as the query writes them.
        paths: Where exactly they are in the credential.
        shares: Exactly what would be shown, and nothing else would be: also what stands in the
            credential openly, and what comes along with a claim that is asked for.
        offer: The grant that the verifier asks for; None where it asks for none.
    """

    query_id: str
    credential: StoredCredential
    asked: tuple[ClaimsPath, ...]
    paths: tuple[ClaimsPath, ...]
    shares: tuple[SharedAttribute, ...]
    offer: GrantOffer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A verified request together with what would answer it: all that a consent screen shows.

    At first it holds the least that answers: of each required set the verifier's first choice, of
    the optional ones nothing. `choose` and `use` return what the holder changes of that.

    Attributes:
        request: The verified request.
        candidates: By credential query, what the wallet has for it, in the order of preference.
        sets: The sets of credentials that are asked for, with the options that the wallet has.
        options: By set, which of its options is chosen; None for none of an optional set.
        credentials: By credential query, the record ids of the credentials that are chosen.
        waci: The verifier, where it is answered by WACI's messages instead of over HTTP alone.
    """

    request: VerifiedRequest
    candidates: Mapping[str, tuple[SharedCredential, ...]]
    sets: tuple[AnswerableSet, ...]
    options: tuple[int | None, ...]
    credentials: Mapping[str, tuple[str, ...]]
    waci: WaciVerifier | None = field(default=None, repr=False, compare=False)

    @property
    def verifier(self) -> str:
        """The client identifier of who asks, with its prefix."""
        return self.request.request.client_id

    @property
    def verifier_name(self) -> str:
        """Who asks. It is that party's own claim unless `is_verified`."""
        return self.request.verifier_name

    @property
    def is_verified(self) -> bool:
        """Whether an authority that the wallet trusts certified the verifier."""
        return self.request.is_anchored

    @property
    def exceeding(self) -> tuple[AskedClaim, ...]:
        """What a certified verifier asks for beyond what it registered to ask."""
        return self.request.exceeding

    @property
    def offer(self) -> GrantOffer | None:
        """The terms of the grants that the verifier asks for; None where it asks for none.

        Purpose, end and uses are the same for every credential.
        """
        return self.request.offer

    @property
    def face(self) -> FaceDemand | None:
        """The face test that must come with the answer; None where none must."""
        demands = (shown.offer.face for shown in self.shown if shown.offer is not None)
        return next((demand for demand in demands if demand is not None), None)

    @property
    def shown(self) -> tuple[SharedCredential, ...]:
        """What an answer would show, in the order of the request."""
        chosen = {
            query_id
            for asked, option in zip(self.sets, self.options, strict=True)
            if option is not None
            for query_id in asked.options[option]
        }
        return tuple(
            candidate
            for query in self.request.request.query.credentials
            if query.id in chosen
            for candidate in self.candidates[query.id]
            if candidate.credential.record_id in self.credentials[query.id]
        )

    @property
    def shares(self) -> tuple[SharedAttribute, ...]:
        """Every attribute that an answer would show."""
        return tuple(share for shown in self.shown for share in shown.shares)

    def choose(self, place: int, option: int | None) -> Self:
        """Return the request with another option of a set.

        Args:
            place: The set.
            option: One of its options; None to show nothing for an optional set.

        Raises:
            RequestError: There is no such set or option, or a required set would not be answered.
        """
        if not 0 <= place < len(self.sets):
            raise RequestError("the request asks for no such set of credentials")
        asked = self.sets[place]
        if option is None and asked.required:
            raise RequestError("the verifier requires these credentials; decline to show none")
        if option is not None and not 0 <= option < len(asked.options):
            raise RequestError("the set has no such option that the wallet can answer")
        options = [*self.options]
        options[place] = option
        return replace(self, options=tuple(options))

    def use(self, query_id: str, *record_ids: str) -> Self:
        """Return the request with other credentials for a credential query.

        Args:
            query_id: The credential query.
            record_ids: One of its candidates, or several where the verifier takes several.

        Raises:
            RequestError: Another number of credentials is asked for, or one is no candidate.
        """
        query = self.request.request.query.find(query_id)
        known = {shared.credential.record_id for shared in self.candidates.get(query_id, ())}
        if query is None or not record_ids or not known.issuperset(record_ids):
            raise RequestError(f"query {query_id}: the wallet has no such credential for it")
        if len(record_ids) > 1 and not query.multiple:
            raise RequestError(f"query {query_id}: one credential is asked for")
        return replace(self, credentials={**self.credentials, query_id: record_ids})


def find_answer(
    request: VerifiedRequest, credentials: Iterable[StoredCredential], *, now_ms: int
) -> PendingRequest:
    """Return what answers a request.

    Args:
        request: The verified request.
        credentials: In the order of preference.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        RequestError: What the wallet holds does not answer it; the text says why.
    """
    held = tuple(credentials)
    candidates: dict[str, tuple[SharedCredential, ...]] = {}
    unanswered: dict[str, str] = {}
    for query in request.request.query.credentials:
        offer = next((offer for offer in request.offers if offer.query_id == query.id), None)
        found: list[SharedCredential] = []
        refusal = "the wallet holds no credential"
        for credential in held:
            if credential.expires_at_ms <= now_ms:
                refusal = "the wallet's credential has expired; ask for a new one"
                continue
            try:
                _check_algorithms(credential, request)
                found.append(_answer_query(query, credential, offer))
            except RequestError as error:
                refusal = str(error)
        if found:
            candidates[query.id] = tuple(found)
        else:
            unanswered[query.id] = refusal
    try:
        sets = find_sets(request.request.query, unanswered)
    except RequestError as error:
        error.reply_to = ReplyAddress(
            response_uri=request.request.response_uri, state=request.request.state
        )
        raise
    return PendingRequest(
        request=request,
        candidates=candidates,
        sets=sets,
        options=tuple(0 if asked.required else None for asked in sets),
        credentials={
            query_id: (found[0].credential.record_id,) for query_id, found in candidates.items()
        },
    )


def _check_algorithms(credential: StoredCredential, request: VerifiedRequest) -> None:
    """Show nothing that the verifier says it cannot verify (OpenID4VP 1.0 Appendix B.3.4)."""
    taken = request.formats.get(credential.format)
    holder_key = credential.read().holder_key
    if not isinstance(taken, dict) or holder_key is None:
        return
    values = text_list(taken.get("kb-jwt_alg_values"))
    if values and not _ALGORITHMS.get(str(holder_key.get("crv")), frozenset()) & set(values):
        raise RequestError("the verifier cannot verify the signatures of the wallet's key")


def _answer_query(
    query: CredentialQuery, credential: StoredCredential, offer: GrantOffer | None
) -> SharedCredential:
    selected = select_claims(query, view_held(credential.read()))
    return SharedCredential(
        query_id=query.id,
        credential=credential,
        asked=selected.asked,
        paths=selected.places,
        shares=tuple(_shares(credential, selected.places)),
        offer=offer,
    )


def _shares(
    credential: StoredCredential, paths: tuple[ClaimsPath, ...]
) -> Iterator[SharedAttribute]:
    """Yield what a presentation of these paths really holds, read back from one."""
    kind = find_format(credential.format)
    shown = kind.read(kind.disclose(credential.text, paths=paths))
    asked = {path[0] for path in paths}
    for name, claim in shown.claims.items():
        if name not in kind.own_claims or name in asked:
            yield from _leaves((name,), claim)


def _leaves(path: ClaimsPath, value: JsonValue) -> Iterator[SharedAttribute]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves((*path, name), member)
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            yield from _leaves((*path, index), element)
    else:
        yield SharedAttribute(path=path, value=value)
