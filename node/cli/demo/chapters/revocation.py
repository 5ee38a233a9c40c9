"""The resident revokes a grant; the city revokes the credential."""

from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast


def revoke(cast: Cast, wallet: Wallet) -> None:
    """The resident revokes a grant; the city revokes the credential."""
    cast.stage.chapter("Revocation")
    request = cast.ask()
    answer = cast.steal(request)
    grant = wallet.grants.made[-1].grant_id
    wallet.grants.revoke(grant)
    cast.stage.tell("resident", "Consented, and takes it back before it arrives.", grant=grant)
    cast.stage.refusal("The answer under the revoked grant", cast.send(request, answer))
    (credential,) = wallet.credentials
    cast.city.change_state(credential.record_id, "revoke")
    cast.stage.tell("city", "Revokes the credential.", credential=f"tg_cred_{credential.record_id}")
    request = cast.ask()
    result = cast.send(request, cast.steal(request))
    cast.stage.refusal("The revoked credential", result)
