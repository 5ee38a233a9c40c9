"""Make the pages of the threat model from its model and its threats; `make threat-model` runs it.

The nine steps: scope, assets, decomposition, threats, classes, association, scores, trees,
mitigations. Text and drawings are checked by a test; the pictures need Graphviz (`dot`).
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from pytm import TM

FOLDER: Final = Path(__file__).parent
sys.path.insert(0, str(FOLDER))

import model  # noqa: E402 - this folder is no package: its name has a hyphen

_HEAD: Final = (
    "# Threat model\n\n*Made by `make threat-model` from [model.py](model.py) and "
    "[threats.toml](threats.toml): change those.*\n\n## 1. Scope\n\n"
)
_SHADES: Final = {1: "#eef6ee", 2: "#fdf6dd", 3: "#fbe0c3", 4: "#f6c1b5", 5: "#ee9a94"}


def load() -> dict[str, Any]:
    """Return the threats and trees."""
    return tomllib.loads((FOLDER / "threats.toml").read_text(encoding="utf-8"))


def build_page(content: dict[str, Any]) -> str:
    """Return the page, README.md."""
    threats = sorted(content["threat"], key=lambda threat: (-_score(threat), threat["id"]))
    parts = [_HEAD + content["scope"], _assets(content["asset"]), _decomposition()]
    parts += [_ranking(threats, content["grades"]), _association(threats)]
    parts += [_trees(content["tree"]), _mitigations(threats), _weaknesses(threats)]
    return "\n".join(parts)


def _assets(assets: dict[str, str]) -> str:
    rows = [f"| {name} | {what} |" for name, what in assets.items()]
    return "\n".join(["## 2. Assets", "", "| asset | what it is |", "| --- | --- |", *rows, ""])


def _decomposition() -> str:
    lines = ["## 3. Decomposition", "", "![Data flow](data-flow.svg)", ""]
    lines += ["| trust boundary | parts inside |", "| --- | --- |"]
    lines += [f"| {title} | {', '.join(names)} |" for title, names in model.boundaries()]
    lines += ["", "| from | to | what flows | how |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(flow)} |" for flow in model.flows()]
    return "\n".join([*lines, ""])


def _ranking(threats: list[dict[str, Any]], grades: str) -> str:
    lines = ["## 4, 5 and 7. Threats, classes and scores", "", grades]
    lines += ["| id | threat | classes | likelihood | impact | score | left |"]
    lines += ["| --- | --- | --- | ---: | ---: | ---: | ---: |"]
    for threat in threats:
        number = f"[{threat['id']}](#{threat['id'].lower()})"
        classes = ", ".join(threat["classes"])
        cells = (number, threat["title"], classes, threat["likelihood"], threat["impact"])
        lines.append(f"| {' | '.join(map(str, (*cells, _score(threat), _left(threat))))} |")
    return "\n".join([*lines, ""])


def _association(threats: list[dict[str, Any]]) -> str:
    by_part: dict[str, list[str]] = defaultdict(list)
    for threat in sorted(threats, key=lambda threat: str(threat["id"])):
        for part in threat["parts"]:
            by_part[part].append(threat["id"])
    lines = ["## 6. Association", "", "| part | threats against it |", "| --- | --- |"]
    lines += [
        f"| {part} | {', '.join(by_part[part])} |" for part in model.part_names() if by_part[part]
    ]
    return "\n".join([*lines, ""])


def _trees(trees: list[dict[str, Any]]) -> str:
    lines = ["## 8. Threat trees", ""]
    for number, tree in enumerate(trees, 1):
        lines += [f"![{tree['goal']}](tree-{number}.svg)", ""]
    return "\n".join(lines)


def _mitigations(threats: list[dict[str, Any]]) -> str:
    lines = ["## 9. Mitigations", ""]
    for threat in sorted(threats, key=lambda threat: str(threat["id"])):
        lines += [
            f"### {threat['id']}",
            "",
            f"**{threat['title']}** ({', '.join(threat['assets'])})",
            "",
        ]
        for mitigation in threat["mitigations"]:
            tests = ", ".join(
                f"[`{_name(test)}`](../../{test.partition('::')[0]})"
                for test in mitigation["tests"]
            )
            lines.append(f"- {mitigation['text']} {tests}")
        lines.append("")
    return "\n".join(lines)


def _weaknesses(threats: list[dict[str, Any]]) -> str:
    lines = ["## Open weaknesses", ""]
    lines += [f"- **{threat['id']}** {threat['open']}" for threat in threats if "open" in threat]
    return "\n".join([*lines, ""])


def _name(test: str) -> str:
    path, _, name = test.partition("::")
    return name or Path(path).name


def _score(threat: dict[str, Any]) -> int:
    return int(threat["likelihood"]) * int(threat["impact"])


def _left(threat: dict[str, Any]) -> int:
    return int(threat["residual"]) * int(threat["impact"])


def draw_tree(tree: dict[str, Any], threats: list[dict[str, Any]]) -> str:
    """Return a threat tree in Graphviz's language; what is darker is likelier today."""
    residual = {threat["id"]: int(threat["residual"]) for threat in threats}
    box = 'shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif", fontsize=11'
    lines = ["digraph tree {", "  graph [rankdir=LR];", f"  node [{box}];"]
    _draw_node(tree, tree["goal"], residual, lines)
    return "\n".join([*lines, "}", ""])


def _draw_node(node: dict[str, Any], label: str, residual: dict[str, int], lines: list[str]) -> str:
    name = f"n{len(lines)}"
    kind = next((kind for kind in ("any", "all") if kind in node), "")
    text, color = label, ""
    if "threat" in node:
        text += f"\\n{node['threat']}"
        color = f', fillcolor="{_SHADES[residual[node["threat"]]]}"'
    if kind:
        text += f"\\n({kind} of)"
    lines.append(f'  {name} [label="{text}"{color}];')
    for branch in node.get(kind, ()):
        target = _draw_node(branch, branch["step"], residual, lines)
        lines.append(f"  {name} -> {target};")
    return name


def resolve(content: dict[str, Any]) -> TM:
    """Return the model with what pytm finds: which threat stands against which part."""
    with tempfile.TemporaryDirectory() as folder:
        threats_file = Path(folder) / "threats.json"
        threats_file.write_text(json.dumps([_to_pytm(threat) for threat in content["threat"]]))
        found = model.build_model(str(threats_file))
    found.resolve()
    return found


def _to_pytm(threat: dict[str, Any]) -> dict[str, Any]:
    return {
        "SID": threat["id"],
        "target": ["Actor", "Server", "Datastore", "ExternalEntity"],
        "description": threat["title"],
        "details": threat.get("open", ""),
        "Likelihood Of Attack": str(threat["likelihood"]),
        "severity": str(threat["impact"]),
        "condition": f"target.name in {list(threat['parts'])!r}",
        "prerequisites": "",
        "mitigations": " ".join(mitigation["text"] for mitigation in threat["mitigations"]),
        "example": "",
        "references": "",
    }


def main() -> None:
    """Write the page, and the pictures where Graphviz is there."""
    content = load()
    (FOLDER / "README.md").write_text(build_page(content), encoding="utf-8")
    if shutil.which("dot") is None:
        sys.exit("the page is made; for its pictures install Graphviz (dot), and call this again")
    # pytm draws a store as a picture of its own package, which an SVG file would only point to.
    data_flow = re.sub(
        r'shape = none;\s*fixedsize = shape;\s*image = "[^"]*";\s*imagescale = true;'
        r'(.*?)xlabel = ("[^"]*");\s*label = "";',
        r"shape = cylinder;\1label = \2;",
        resolve(content).dfd(),
        flags=re.DOTALL,
    )
    _draw("data-flow.svg", data_flow)
    for number, tree in enumerate(content["tree"], 1):
        _draw(f"tree-{number}.svg", draw_tree(tree, content["threat"]))


def _draw(name: str, text: str) -> None:
    subprocess.run(  # noqa: S603 - the arguments are ours
        ["dot", "-Tsvg", "-o", str(FOLDER / name)],  # noqa: S607 - wherever it is installed
        input=text.encode(),
        check=True,
    )


if __name__ == "__main__":
    main()
