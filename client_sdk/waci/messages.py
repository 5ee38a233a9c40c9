"""The names of WACI's messages, goals and attachments (WACI-DIDComm 1.0, section WACI Protocol)."""

from typing import Final

VERIFY_GOAL: Final = "streamlined-vp"
ISSUE_GOAL: Final = "streamlined-vc"

PROPOSE_PRESENTATION: Final = "https://didcomm.org/present-proof/3.0/propose-presentation"
REQUEST_PRESENTATION: Final = "https://didcomm.org/present-proof/3.0/request-presentation"
PRESENTATION: Final = "https://didcomm.org/present-proof/3.0/presentation"
PRESENTATION_ACK: Final = "https://didcomm.org/present-proof/3.0/ack"

PROPOSE_CREDENTIAL: Final = "https://didcomm.org/issue-credential/3.0/propose-credential"
OFFER_CREDENTIAL: Final = "https://didcomm.org/issue-credential/3.0/offer-credential"
REQUEST_CREDENTIAL: Final = "https://didcomm.org/issue-credential/3.0/request-credential"
ISSUE_CREDENTIAL: Final = "https://didcomm.org/issue-credential/3.0/issue-credential"
CREDENTIAL_ACK: Final = "https://didcomm.org/issue-credential/3.0/ack"

REQUEST_OBJECT: Final = "openid4vp/request-object@v1.0"
"""`client_id` and `request`, as an authorization request that carries its object by value."""
AUTHORIZATION_RESPONSE: Final = "openid4vp/authorization-response@v1.0"
"""The parameters that `direct_post` or `direct_post.jwt` would send."""
CREDENTIAL_OFFER: Final = "openid4vci/credential-offer@v1.0"
"""`credential_offer`, and a `c_nonce` for the key proof."""
CREDENTIAL_REQUEST: Final = "openid4vci/credential-request@v1.0"
"""`pre-authorized_code`, `tx_code` and the `credential_request` with its proofs."""
CREDENTIAL_RESPONSE: Final = "openid4vci/credential-response@v1.0"
"""The credential endpoint's answer."""
