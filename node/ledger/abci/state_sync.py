"""The four snapshot methods of ABCI: what this peer serves, and what it is built from itself."""

import hashlib
from collections.abc import Callable

import structlog

from node.errors import ReplicationError
from node.ledger.abci.abci_pb2 import (
    RequestApplySnapshotChunk,
    RequestLoadSnapshotChunk,
    RequestOfferSnapshot,
    Response,
    ResponseApplySnapshotChunk,
    ResponseOfferSnapshot,
)
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.abci.snapshot_pb2 import SnapshotManifest
from node.ledger.abci.snapshot_restore import (
    HASH_BYTES,
    SnapshotRefusedError,
    SnapshotRestore,
    parse_manifest,
)
from node.ledger.abci.snapshot_writer import SNAPSHOT_FORMAT, SnapshotWriter

_log = structlog.get_logger(__name__)


class StateSync:
    """Serves snapshots, and restores one. CometBFT restores one at a time, before its first block.

    Attributes:
        snapshots: Those that this peer has.
    """

    def __init__(
        self,
        ledger: ReplicatedLedger,
        snapshots: SnapshotWriter,
        begin: Callable[[SnapshotManifest, bytes], SnapshotRestore],
    ) -> None:
        """Take the parts.

        Args:
            ledger: Takes over what was restored.
            snapshots: Those that this peer has.
            begin: Begins the restoration of a snapshot that must lead to an app hash.
        """
        self.snapshots = snapshots
        self._ledger = ledger
        self._begin = begin
        self._restore: SnapshotRestore | None = None
        self._left = 0

    def list(self) -> Response:
        """Answer ListSnapshots."""
        response = Response()
        response.list_snapshots.SetInParent()
        for manifest in self.snapshots.manifests():
            metadata = manifest.SerializeToString()
            response.list_snapshots.snapshots.add(
                height=manifest.height,
                format=SNAPSHOT_FORMAT,
                chunks=len(manifest.chunk_hashes) // HASH_BYTES,
                hash=hashlib.sha256(metadata).digest(),
                metadata=metadata,
            )
        return response

    def load(self, request: RequestLoadSnapshotChunk) -> Response:
        """Answer LoadSnapshotChunk."""
        response = Response()
        response.load_snapshot_chunk.chunk = self.snapshots.load_chunk(
            request.height, request.chunk
        )
        return response

    def offer(self, request: RequestOfferSnapshot) -> Response:
        """Answer OfferSnapshot.

        Raises:
            ReplicationError: The ledger has blocks already.
            StorageError: The disk refused.
        """
        self._abandon()
        response = Response()
        offered = request.snapshot
        if self._ledger.position.height:
            raise ReplicationError(
                "state sync is for a peer that has decided no block yet: switch it off in "
                "CometBFT's config.toml, or move the data of the node and of CometBFT away"
            )
        if offered.format != SNAPSHOT_FORMAT:
            response.offer_snapshot.result = ResponseOfferSnapshot.REJECT_FORMAT
            return response
        try:
            self._restore = self._begin(_check_offer(request), request.app_hash)
        except SnapshotRefusedError as error:
            _log.warning("snapshot refused", height=offered.height, reason=str(error))
            response.offer_snapshot.result = ResponseOfferSnapshot.REJECT
            return response
        self._left = offered.chunks
        _log.info("restoring a snapshot", height=offered.height, chunks=offered.chunks)
        response.offer_snapshot.result = ResponseOfferSnapshot.ACCEPT
        return response

    def apply(self, request: RequestApplySnapshotChunk) -> Response:
        """Answer ApplySnapshotChunk.

        Raises:
            ReplicationError: No snapshot is being restored.
            StorageError: The disk refused.
        """
        restore = self._restore
        if restore is None:
            raise ReplicationError("CometBFT sends a chunk of a snapshot that it did not offer")
        response = Response()
        answer = response.apply_snapshot_chunk
        if not restore.is_chunk(request.index, request.chunk):
            answer.result = ResponseApplySnapshotChunk.RETRY
            answer.refetch_chunks.append(request.index)
            answer.reject_senders.append(request.sender)
            return response
        try:
            restore.apply(request.chunk)
            self._left -= 1
            if not self._left:
                position = restore.finish()
                self._restore = None
                self._ledger.reload()
                _log.info("snapshot restored", height=position.height)
        except SnapshotRefusedError as error:
            _log.error("snapshot refused", reason=str(error))
            self._abandon()
            answer.result = ResponseApplySnapshotChunk.REJECT_SNAPSHOT
            return response
        answer.result = ResponseApplySnapshotChunk.ACCEPT
        return response

    def stop(self) -> None:
        """Give up what is not whole.

        Raises:
            StorageError: The disk refused.
        """
        self.snapshots.stop()
        self._abandon()

    def _abandon(self) -> None:
        restore, self._restore = self._restore, None
        if restore is not None:
            restore.abandon()


def _check_offer(request: RequestOfferSnapshot) -> SnapshotManifest:
    offered = request.snapshot
    manifest = parse_manifest(offered.metadata)
    if offered.hash != hashlib.sha256(offered.metadata).digest():
        raise SnapshotRefusedError("its hash is not that of its metadata")
    if (manifest.height, manifest.app_hash) != (offered.height, request.app_hash):
        raise SnapshotRefusedError("it is of another height, or another state than is signed")
    if len(manifest.chunk_hashes) != offered.chunks * HASH_BYTES:
        raise SnapshotRefusedError("it has not as many chunks as it names")
    return manifest
