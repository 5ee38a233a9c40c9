"""DIDComm messages: their form, who can read them, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from chaincode.encoding import decode_base64url, encode_base64url
from client_sdk.credentials.multikey import encode_base58btc
from client_sdk.didcomm.envelope import decrypt_envelope, decrypt_message, encrypt_message
from client_sdk.didcomm.message import Attachment, Message
from client_sdk.didcomm.out_of_band import Invitation, is_invitation, parse_invitation
from client_sdk.didcomm.peer_did import PeerDid, PeerIdentity
from client_sdk.errors import ClientError, DidError, MessageFormatError

VECTORS = Path(__file__).parents[3] / "vectors"
NOW_S = 1_790_000_000
ALICE = PeerIdentity.create()
BOB = PeerIdentity.create(endpoint="https://bob.example/messages")


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "type": "https://didcomm.org/present-proof/3.0/presentation",
        "sender": ALICE.did,
        "recipient": BOB.did,
        "body": {"goal_code": "streamlined-vp"},
        "attachments": (Attachment(format="a@v1.0", value={"住所": "青葉市"}),),
        "thread_id": "t",
        "parent_thread_id": "p",
        "expires_at_s": NOW_S,
        "return_route": "all",
        "web_redirect": {"status": "OK", "redirectUrl": "https://bob.example/"},
    }
    return Message(**(values | changes))


def sealed(plain: Message) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(encrypt_message(plain, PeerDid.parse(BOB.did)))
    return envelope


def opened(envelope: dict[str, Any], *, now_s: int = NOW_S) -> Message:
    return decrypt_message(json.dumps(envelope).encode(), BOB, now_s=now_s)


class TestEnvelopes:
    def test_the_recipient_reads_what_was_written(self) -> None:
        plain = message(id="1")
        assert opened(sealed(plain)) == plain

    def test_nobody_else_reads_it(self) -> None:
        eve = PeerIdentity(did=BOB.did, key=OKPKey.generate_key("X25519", private=True))
        with pytest.raises(MessageFormatError, match="cannot be decrypted"):
            decrypt_message(json.dumps(sealed(message())).encode(), eve, now_s=NOW_S)
        with pytest.raises(MessageFormatError, match="not encrypted for"):
            decrypt_message(json.dumps(sealed(message())).encode(), ALICE, now_s=NOW_S)

    def test_the_headers_are_those_of_the_specification(self) -> None:
        envelope = sealed(message())
        header = json.loads(decode_base64url(envelope["protected"]))
        assert header["typ"] == "application/didcomm-encrypted+json"
        assert (header["alg"], header["enc"]) == ("ECDH-ES+A256KW", "A256GCM")
        assert header["epk"]["crv"] == "X25519"
        assert "apv" in header
        assert [item["header"] for item in envelope["recipients"]] == [{"kid": BOB.kid}]

    def test_the_example_of_the_specification(self) -> None:
        """DIDComm Messaging 2.1, appendix C.3: two recipients on P-384, A256CBC-HS512."""
        vector = json.loads((VECTORS / "didcomm" / "encrypted.json").read_text(encoding="utf-8"))
        key = ECKey.import_key(vector["key"]["jwk"])
        envelope = json.dumps(vector["envelope"]).encode()
        content = decrypt_envelope(envelope, vector["key"]["kid"], key)
        assert json.loads(content) == vector["plaintext"]
        assert Message.from_json({**vector["plaintext"], "to": ["did:example:bob"]}).sender

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"aad": "YQ"}, "protected"),
            ({"unprotected": {}}, "protected"),
            ({"recipients": []}, "not encrypted for"),
            ({"recipients": {}}, "no list"),
            ({"tag": "AAAAAAAAAAAAAAAAAAAAAA"}, "cannot be decrypted"),
            ({"protected": "e30"}, "cannot be decrypted"),
            ({"iv": "a.b"}, "base64url"),
            ({"ciphertext": 1}, "ciphertext"),
        ],
    )
    def test_a_changed_envelope(self, change: dict[str, Any], reason: str) -> None:
        with pytest.raises(MessageFormatError, match=reason):
            opened(sealed(message()) | change)

    def test_one_recipient_twice(self) -> None:
        envelope = sealed(message())
        with pytest.raises(MessageFormatError, match="not encrypted for"):
            opened(envelope | {"recipients": envelope["recipients"] * 2})

    def test_an_address_of_another(self) -> None:
        with pytest.raises(MessageFormatError, match="another than its to"):
            opened(sealed(message(recipient=ALICE.did)))

    def test_a_message_that_has_expired(self) -> None:
        with pytest.raises(MessageFormatError, match="expires_time"):
            opened(sealed(message()), now_s=NOW_S + 1)

    def test_more_than_a_megabyte(self) -> None:
        with pytest.raises(MessageFormatError, match="bytes"):
            sealed(message(body={"a": "a" * (1 << 20)}))
        with pytest.raises(MessageFormatError, match="bytes"):
            decrypt_message(b" " * ((1 << 20) + 1), BOB, now_s=NOW_S)

    @given(st.binary(max_size=200))
    def test_anything_else_is_refused_with_our_own_error(self, data: bytes) -> None:
        with pytest.raises(ClientError):
            decrypt_message(data, BOB, now_s=NOW_S)


class TestMessages:
    def test_the_first_message_names_its_thread_by_its_own_id(self) -> None:
        first = Message(type="t")
        assert first.thread_id == first.id
        assert "thid" not in first.to_json()
        assert Message.from_json(first.to_json()) == first

    def test_unknown_headers_are_passed_over(self) -> None:
        assert Message.from_json({"id": "1", "type": "t", "body": {}, "x": 1}).id == "1"

    @pytest.mark.parametrize(
        "change",
        [
            {"typ": "application/json"},
            {"id": ""},
            {"id": 1},
            {"type": None},
            {"thid": "a b"},
            {"to": ["did:a", "did:b"]},
            {"to": "did:a"},
            {"body": []},
            {"expires_time": "soon"},
            {"attachments": {}},
            {"attachments": [{"format": "f", "data": {"base64": "YQ"}}]},
            {"attachments": [{"format": "f", "data": {"json": {}}}] * 17},
        ],
        ids=str,
    )
    def test_a_malformed_header(self, change: dict[str, Any]) -> None:
        with pytest.raises(MessageFormatError):
            Message.from_json({"id": "1", "type": "t", "body": {}} | change)

    def test_an_attachment_is_taken_only_where_it_stands_once(self) -> None:
        with pytest.raises(MessageFormatError):
            Message(type="t").attached("a@v1.0")
        twice = message().attachments * 2
        with pytest.raises(MessageFormatError):
            message(attachments=twice).attached("a@v1.0")
        assert message().attached("a@v1.0") == {"住所": "青葉市"}

    def test_a_value_is_not_shown(self) -> None:
        assert "青葉市" not in repr(message())


class TestPeerDids:
    def test_a_did_says_where_and_to_which_key(self) -> None:
        parsed = PeerDid.parse(BOB.did)
        assert parsed.endpoint == "https://bob.example/messages"
        assert list(parsed.agreement_keys) == [BOB.kid]
        assert PeerDid.parse(ALICE.did).endpoint is None

    def test_the_example_of_the_method(self) -> None:
        """Peer DID Method Specification, generation method 2; endpoint made one of https."""
        service = encode_base64url(
            b'{"t":"dm","s":{"uri":"https://example.com/didcomm","a":["didcomm/v2"]}}'
        )
        did = (
            "did:peer:2.Vz6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc"
            f".Ez6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR.S{service}"
        )
        parsed = PeerDid.parse(did)
        assert list(parsed.agreement_keys) == [f"{did}#key-2"]
        assert parsed.endpoint == "https://example.com/didcomm"

    @pytest.mark.parametrize("curve", ["P-256", "P-384"])
    def test_keys_on_curves_of_nist(self, curve: str) -> None:
        key = ECKey.generate_key(curve, private=True)
        jwk = key.as_dict(private=False)
        odd = decode_base64url(str(jwk["y"]))[-1] & 1
        prefix = bytes.fromhex({"P-256": "8024", "P-384": "8124"}[curve])
        multikey = encode_base58btc(prefix + bytes([2 + odd]) + decode_base64url(str(jwk["x"])))
        did = f"did:peer:2.E{multikey}"
        envelope = encrypt_message(Message(type="t", recipient=did), PeerDid.parse(did))
        assert b'"type":"t"' in decrypt_envelope(envelope, f"{did}#key-1", key)

    @pytest.mark.parametrize(
        "did",
        [
            "did:key:z6LSt9T8LrbkkocKtaqpkfVrE5TpeEWNysKRWJzwsR1PFku9",
            "did:peer:0z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH",
            "did:peer:2.",
            "did:peer:2.Ez6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc",
            "did:peer:2.EzDnaa",
            "did:peer:2.E!",
            f"{ALICE.did}.SbWFsZm9ybWVk",
            f"{ALICE.did}.S" + encode_base64url(b'{"t":"dm","s":"http://elsewhere.example/"}'),
            f"{ALICE.did}.S" + encode_base64url(b'{"t":"dm","s":{"uri":"https://a.b/","r":["x"]}}'),
            f"{ALICE.did}.S" + "A" * 2048,
        ],
        ids=range(10),
    )
    def test_what_cannot_be_written_to(self, did: str) -> None:
        with pytest.raises(DidError):
            PeerDid.parse(did)

    def test_services_of_another_kind_are_passed_over(self) -> None:
        service = encode_base64url(b'{"t":"LinkedDomains","s":"https://a.example/"}')
        assert PeerDid.parse(f"{ALICE.did}.S{service}").endpoint is None

    @given(st.text(max_size=100))
    def test_anything_else_is_refused_with_our_own_error(self, text: str) -> None:
        with pytest.raises(DidError):
            PeerDid.parse(f"did:peer:2.{text}")


class TestInvitations:
    INVITATION = Invitation(id="599f3638", sender=BOB.did, goal_code="streamlined-vp")

    def test_a_link_holds_the_invitation(self) -> None:
        link = self.INVITATION.to_link("https://bob.example/page")
        assert link.startswith("https://bob.example/page?_oob=")
        assert is_invitation(link)
        assert parse_invitation(link, goal_code="streamlined-vp") == self.INVITATION

    def test_the_example_of_waci(self) -> None:
        """WACI-DIDComm 1.0, section Presentation, step 1."""
        link = (
            "https://example.com/some/path?_oob=eyJ0eXBlIjoiaHR0cHM6Ly9kaWRjb21tLm9yZy9vdXQtb2YtY"
            "mFuZC8yLjAvaW52aXRhdGlvbiIsImlkIjoiNTk5ZjM2MzgtYjU2My00OTM3LTk0ODctZGZlNTUwOTlkOTAwI"
            "iwiZnJvbSI6ImRpZDpleGFtcGxlOnZlcmlmaWVyIiwiYm9keSI6eyJnb2FsX2NvZGUiOiJzdHJlYW1saW5lZ"
            "C12cCIsImFjY2VwdCI6WyJkaWRjb21tL3YyIl19fQ=="
        )
        invitation = parse_invitation(link, goal_code="streamlined-vp")
        assert invitation.id == "599f3638-b563-4937-9487-dfe55099d900"
        assert invitation.sender == "did:example:verifier"

    @pytest.mark.parametrize(
        "message",
        [
            {"type": "https://didcomm.org/out-of-band/2.0/other"},
            {"from": None},
            {"body": {}},
            {"body": {"goal_code": "streamlined-vc"}},
            {"body": {"goal_code": "streamlined-vp", "accept": ["didcomm/aip2"]}},
        ],
        ids=str,
    )
    def test_what_is_no_invitation(self, message: dict[str, Any]) -> None:
        genuine = {
            "type": "https://didcomm.org/out-of-band/2.0/invitation",
            "id": "1",
            "from": BOB.did,
            "body": {"goal_code": "streamlined-vp"},
        }
        link = "https://a.example/?_oob=" + encode_base64url(json.dumps(genuine | message).encode())
        with pytest.raises(MessageFormatError):
            parse_invitation(link, goal_code="streamlined-vp")

    @given(st.text(max_size=100))
    def test_anything_else_is_refused_with_our_own_error(self, text: str) -> None:
        with pytest.raises(MessageFormatError):
            parse_invitation(f"https://a.example/?_oob={text}", goal_code="streamlined-vp")
