"""What the verifier's page calls things, for people; `gettext` translates it where it is shown."""

from typing import Final

from node.web.languages import gettext_noop

ATTRIBUTES: Final = {
    "name": gettext_noop("Name"),
    "address": gettext_noop("Address"),
    "municipality": gettext_noop("Municipality"),
    "birth_date": gettext_noop("Date of birth"),
    "age_over_18": gettext_noop("Aged 18 or over"),
    "sex": gettext_noop("Sex"),
    "portrait": gettext_noop("Portrait"),
}
"""The attributes of a resident credential that the page asks for."""
STATES: Final = {
    "pending": gettext_noop("Waiting for the wallet"),
    "fetched": gettext_noop("The person is looking at it"),
    "recording": gettext_noop("Answered; the receipt is being written"),
    "answered": gettext_noop("Answered on the same device"),
    "accepted": gettext_noop("Verified"),
    "refused": gettext_noop("Not accepted"),
    "declined": gettext_noop("Declined by the person"),
    "expired": gettext_noop("Expired without an answer"),
}
CHECKS: Final = {
    "presentation": gettext_noop("The answer can be read"),
    "issuer_trusted": gettext_noop("The issuer is registered for this credential"),
    "issuer_signature": gettext_noop("The issuer's signature is genuine"),
    "disclosures": gettext_noop("What is shown was not changed"),
    "validity": gettext_noop("The credential is within its time"),
    "holder_binding": gettext_noop("The holder signed this answer"),
    "nonce": gettext_noop("The answer is to this request"),
    "request_match": gettext_noop("What is shown is what was asked for"),
    "anchor": gettext_noop("The credential is on the ledger"),
    "status_list": gettext_noop("The issuer's status list is at hand"),
    "status": gettext_noop("The credential is neither suspended nor revoked"),
    "holder_key": gettext_noop("The key still belongs to the holder"),
    "recovery": gettext_noop("The holder's account is not being recovered"),
    "face": gettext_noop("The holder passed a face test"),
    "grant": gettext_noop("The holder's grant is in force"),
    "receipt": gettext_noop("The access is on the holder's record"),
}
"""The named checks of an answer, in the order in which they are made."""
SCOPES: Final = {
    "requests:write": gettext_noop("Make requests"),
    "results:read": gettext_noop("Read results"),
    "webhooks:write": gettext_noop("Set webhooks"),
}
KEY_STATES: Final = {
    "live": gettext_noop("in force"),
    "expired": gettext_noop("expired"),
    "revoked": gettext_noop("revoked"),
}
