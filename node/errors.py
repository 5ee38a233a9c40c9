"""Every error a Tegata process raises. `NodeError` is their root and is never raised itself."""


class NodeError(Exception):
    """The root of this package's errors."""


class ConfigError(NodeError):
    """The configuration cannot be used. The operator must mend the file that the text names."""


class StorageError(NodeError):
    """A store is damaged or cannot be written. The process stops rather than guess."""


class DatabaseUnavailableError(StorageError):
    """A service's database does not answer now. The client should send again in a moment."""


class UnstorableTextError(NodeError):
    """A text has a character that the database cannot keep. The client must leave it out."""


class PeerUnreachableError(NodeError):
    """Another peer does not answer. The operator should see whether it runs at that address."""


class ReplicationError(NodeError):
    """CometBFT and the ledger cannot go on together. The operator must mend what the text says."""


class HaltError(ConfigError):
    """The ledger stands at the height behind which the configuration has it stop."""


class RulesFaultError(ReplicationError):
    """The rules failed on a block that the peers decided: all peers of this version stop at it."""


class DivergenceError(ReplicationError):
    """The ledger of this peer is not that of the others. It stops, and must be built anew."""


class NetworkError(NodeError):
    """The peers of a network are not as the command needs them."""


class PoolFullError(NodeError):
    """More is under way than the node takes. The client should send again later."""


class BatchRefusedError(NodeError):
    """A batch may not wait for signatures. Its sender must sign with an account's own key."""


class StoppingError(NodeError):
    """The node is stopping and takes nothing new. The client should try again in a moment."""


class SourceError(NodeError):
    """What is read from a file or database of others is not acceptable. Mend it, and run again."""


class NonceError(NodeError):
    """A proof answers a nonce that is not this service's, or has expired. Ask for a new one."""


class KeygenError(NodeError):
    """The parties of a key ceremony do not fit together, or its board was disturbed."""


class PolicyRefusedError(NodeError):
    """What a signer was asked to sign is not what it agreed to sign."""


class ImageError(NodeError):
    """A picture cannot be used. The text says what to send instead."""


class ModelError(NodeError):
    """A network of the face test is missing or altered. The operator must install it again."""


class FaceWantedError(NodeError):
    """The agents want to see a face at the recovery. The holder should add the portrait file."""


class WalletLockedError(NodeError):
    """The wallet is locked. Its holder unlocks it with the passphrase first."""


class ApiError(NodeError):
    """A request over HTTP is refused (RFC 9457).

    Attributes:
        status: The HTTP status code.
        code: A stable word for programs, such as `request_expired`.
        title: A short sentence that is the same for each occurrence.
        retry_after_s: After how many seconds to send again; None where that would not help.
    """

    def __init__(
        self, status: int, code: str, title: str, detail: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s
