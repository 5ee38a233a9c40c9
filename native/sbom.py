"""Write the bill of materials (CycloneDX) of the native parts, out of Cargo's lock files.

python native/sbom.py RESULT.json Cargo.lock ...
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL


def add_lock(bom: Bom, lock: Path) -> None:
    """Add a lock file's packages, and what each depends on; those without a source are ours."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    components = {(entry["name"], entry["version"]): _component(entry) for entry in packages}
    by_name = {name: component for (name, _), component in components.items()}
    for entry in packages:
        component = components[entry["name"], entry["version"]]
        bom.components.add(component)
        needed = []
        for dependency in entry.get("dependencies", ()):
            # `name`, or `name version` where there are several.
            name, _, version = dependency.partition(" ")
            needed.append(components.get((name, version), by_name[name]))
        bom.register_dependency(component, needed)


def _component(entry: dict[str, Any]) -> Component:
    name, version = entry["name"], entry["version"]
    is_ours = "source" not in entry
    purl = PackageURL("generic" if is_ours else "cargo", name=name, version=version)
    checksum = entry.get("checksum")
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )


def main(result: str, *locks: str) -> None:
    """Write the bill; a wrong one is an error."""
    bom = Bom()
    for lock in locks:
        add_lock(bom, Path(lock))
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"{result}: not as CycloneDX wants it: {problem}")
    Path(result).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
