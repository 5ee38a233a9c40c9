"""What Prometheus itself says of its configuration, and what each alert makes of numbers."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
DEPLOY = HERE.parents[1] / "deploy"
CASES = HERE / "alerts.yml"

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="prometheus is not installed (make test)"
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("folder", ["prometheus", "compose"])
def test_it_takes_its_configuration(folder: str, tmp_path: Path) -> None:
    # compose.yaml mounts the same rules beside it.
    for file in (DEPLOY / folder / "prometheus.yml", DEPLOY / "prometheus" / "rules.yml"):
        shutil.copy(file, tmp_path)
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert "9 rules found" in done.stdout


def test_each_alert_comes_when_it_should_and_not_before() -> None:
    done = promtool("test", "rules", CASES)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == names
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == names
