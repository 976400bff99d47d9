"""Ask the advisory service about every pinned package; run with `make audit`.

Exit code 0: all were looked up, none has a known vulnerability. 1: some have. 3: the service does
not know some, or cannot be reached, so that nothing is said about them; pip-audit itself would end
with 0 then.
"""

from __future__ import annotations

import json
import subprocess
import sys

COMMAND = ("pip_audit", "-r", "constraints.txt", "--no-deps", "--disable-pip", "-f", "json")


def main() -> int:
    done = subprocess.run(
        [sys.executable, "-m", *COMMAND, "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"nothing was audited: {done.stderr.strip()[-500:]}")
        return 3
    for package in packages:
        for found in package.get("vulns", ()):
            better = ", ".join(found["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {found['id']}, mended in {better}")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable = [package["name"] for package in packages if package.get("vulns")]
    print(f"{len(packages)} packages, {len(vulnerable)} vulnerable, {len(skipped)} not audited")
    if skipped:
        print(f"the advisory service answered nothing on {', '.join(skipped[:5])} ...")
    return 1 if vulnerable else 3 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
