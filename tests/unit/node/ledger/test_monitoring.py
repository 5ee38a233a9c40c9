"""The health check and the metrics of a running node, over real HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from support.processes import DEADLINE_S, LedgerFolder, NodeProcess, make_ledger_folder

from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.commands import set_account_detail
from node.errors import ConfigError
from node.ledger.daemon import LedgerNode
from node.ledger.genesis import ADMIN_ACCOUNT, DOMAINS
from node.ledger.stages import Stage

# The names that irohad 1.6 gives its gauges (irohad/maintenance/metrics.cpp).
IROHA_GAUGES: Final = {
    "blocks_height",
    "peers_number",
    "number_of_domains",
    "total_number_of_transactions",
    "number_of_signatures_in_last_block",
    "is_syncing_state",
    "is_healthy",
    "number_of_pending_mst_batches",
    "number_of_pending_mst_transactions",
    "rdb_block_cache_capacity",
    "rdb_block_cache_usage",
    "rdb_all_mem_tables_sz",
    "rdb_num_snapshots",
    "rdb_sst_files_size",
    "uptime_ms",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> LedgerFolder:
    folder = make_ledger_folder(tmp_path_factory.mktemp("monitored") / "node")
    with (folder.path / "node.toml").open("a") as config:
        config.write('health = "127.0.0.1:0"\nmetrics = "127.0.0.1:0"\n')
    return folder


@pytest.fixture(scope="module")
def process(folder: LedgerFolder) -> Iterator[NodeProcess]:
    with NodeProcess(folder.path) as process:
        process.wait_for_log("ledger node ready")
        yield process


def ask(process: NodeProcess, path: str, service: str = "health") -> requests.Response:
    address = process.wait_for_log("ledger node ready")[f"{service}_address"]
    return requests.get(f"http://{address}{path}", timeout=DEADLINE_S)


def gauges(process: NodeProcess) -> dict[str, float]:
    text = ask(process, "/metrics", "metrics").text
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_health_check_is_irohads_json(process: NodeProcess, folder: LedgerFolder) -> None:
    answer = ask(process, "/healthcheck")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    with folder.admin(process.address) as admin:
        health = admin.health()
    fields = answer.json()
    assert answer.text == (
        f'{{"memory_consumption":{fields["memory_consumption"]},'
        f'"last_block_round":{health.last_block_height},"last_reject_round":0,'
        '"is_syncing":false,"status":true}'
    )


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthcheck/x"])
def test_another_path_is_not_found(process: NodeProcess, path: str) -> None:
    assert ask(process, path).status_code == 404


def test_another_method_is_refused(process: NodeProcess) -> None:
    address = process.wait_for_log("ledger node ready")["health_address"]
    answer = requests.post(f"http://{address}/healthcheck", timeout=DEADLINE_S)
    assert (answer.status_code, answer.text) == (405, "Only GET method supported")


def test_the_gauges_have_irohads_names(process: NodeProcess) -> None:
    found = gauges(process)
    assert found.keys() >= IROHA_GAUGES
    others = {name for name in found.keys() - IROHA_GAUGES if not name.startswith("process_")}
    assert all(name.startswith("tegata_") for name in others)


def test_the_gauges_follow_the_chain(process: NodeProcess, folder: LedgerFolder) -> None:
    with folder.admin(process.address) as admin:
        before = gauges(process)
        for number in range(3):
            admin.submit(set_account_detail(ADMIN_ACCOUNT, f"gauge_{number}", "x"))
        # A block that only names a rejected transaction counts as a block, not as a transaction.
        with pytest.raises(TransactionFailedError):
            admin.submit(set_account_detail("nobody@tegata", "a", "x"))
        after = gauges(process)
    assert after["blocks_height"] == before["blocks_height"] + 4
    assert after["total_number_of_transactions"] == before["total_number_of_transactions"] + 3
    assert after["number_of_domains"] == len(DOMAINS)
    assert after["peers_number"] == 1
    assert after["number_of_signatures_in_last_block"] == 1
    assert (after["is_healthy"], after["is_syncing_state"]) == (1, 0)
    assert after["uptime_ms"] > before["uptime_ms"]
    assert after["tegata_waiting_transactions"] == 0
    for stage in Stage:
        name = f"tegata_stage_transactions_total {stage}"
        assert after[name] >= before[name] + 4
        assert after[f"tegata_stage_seconds_total {stage}"] > 0
    assert after["tegata_last_block_time_seconds"] > max(
        1e9, before["tegata_last_block_time_seconds"]
    )


@pytest.mark.parametrize("key", ["health", "metrics", "internal"])
def test_an_address_that_is_taken_is_named(tmp_path: Path, process: NodeProcess, key: str) -> None:
    taken = process.wait_for_log("ledger node ready")["health_address"]
    folder = make_ledger_folder(tmp_path / "node")
    with (folder.path / "node.toml").open("a") as config:
        config.write(f'{key} = "{taken}"\n')
    with pytest.raises(ConfigError, match=str(taken)):
        LedgerNode.in_folder(folder.path)
