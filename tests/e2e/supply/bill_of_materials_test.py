# SPDX-License-Identifier: Apache-2.0
"""The bill of materials names what the programs load and were compiled from, with the versions that
are installed, and is the same twice; digests are those of the programs."""

import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOL = ROOT / "tools" / "dev" / "bill_of_materials.py"
BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
PROGRAMS = [BUILD / "bin" / name for name in ("coveyd", "covey", "covey-sim")]


def made(*programs):
    subprocess.run([sys.executable, "-B", TOOL, BUILD, *programs], check=True, cwd=ROOT)
    return [json.loads((BUILD / name).read_text()) for name in ("covey.cdx.json", "covey.provenance.json")]


class BillOfMaterials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bill, cls.provenance = made(*PROGRAMS)
        cls.parts = {part["name"]: part for part in cls.bill["components"]}

    def test_it_is_cyclonedx_and_its_references_lead_somewhere(self):
        self.assertEqual((self.bill["bomFormat"], self.bill["specVersion"]), ("CycloneDX", "1.5"))
        self.assertRegex(self.bill["serialNumber"], r"^urn:uuid:[0-9a-f-]{36}$")
        known = {part["bom-ref"] for part in self.bill["components"]} | {"covey"}
        self.assertEqual(len(known), len(self.bill["components"]) + 1)
        for row in self.bill["dependencies"]:
            self.assertLessEqual({row["ref"], *row["dependsOn"]}, known)

    def test_digests_are_those_of_the_programs(self):
        subjects = {each["name"]: each["digest"]["sha256"] for each in self.provenance["subject"]}
        for program in PROGRAMS:
            digest = hashlib.sha256(program.read_bytes()).hexdigest()
            self.assertEqual(self.parts[program.name]["hashes"], [{"alg": "SHA-256", "content": digest}])
            self.assertEqual(subjects[program.name], digest)

    def test_each_library_that_is_loaded_is_there_with_the_installed_version(self):
        for program in PROGRAMS:
            said = subprocess.run(["ldd", program], check=True, text=True, stdout=subprocess.PIPE).stdout
            for library in re.findall(r"=> (/\S+)", said):
                real = str(pathlib.Path(library).resolve())
                owner = subprocess.run(["dpkg", "-S", real], check=False, text=True, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL).stdout or subprocess.run(
                    ["dpkg", "-S", real.removeprefix("/usr")], check=True, text=True,
                    stdout=subprocess.PIPE).stdout
                package = owner.split(":")[0]
                version = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], check=True, text=True,
                                         stdout=subprocess.PIPE).stdout
                self.assertEqual(self.parts[package]["version"], version, library)
                self.assertIn(self.parts[package]["bom-ref"], self.depends(program.name))

    def depends(self, program):
        return next(row["dependsOn"] for row in self.bill["dependencies"] if row["ref"] == f"covey:{program}")

    def test_what_is_only_headers_and_what_is_started_is_there(self):
        self.assertIn("nlohmann-json3-dev", self.parts)
        self.assertIn(self.parts["mosquitto"]["bom-ref"], self.depends("coveyd"))
        self.assertNotIn(self.parts["mosquitto"]["bom-ref"], self.depends("covey"))

    def test_the_commit_is_named(self):
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
        sources = [each for each in self.provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
                   if each["uri"].startswith("git+")]
        self.assertEqual([each["digest"]["gitCommit"] for each in sources], [head] if head else [])

    def test_twice_the_same(self):
        self.assertEqual(made(*PROGRAMS), [self.bill, self.provenance])

    def test_a_library_of_no_package_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            stranger = pathlib.Path(folder) / "libstranger.so"
            program = pathlib.Path(folder) / "program"
            for source, output, more in (("int f(void){return 1;}", stranger, ["-shared", "-fPIC"]),
                                         ("int f(void);int main(void){return f();}", program,
                                          [str(stranger), f"-Wl,-rpath,{folder}"])):
                subprocess.run([shutil.which("gcc"), "-x", "c", "-", "-x", "none", *more, "-o", output],
                               input=source, text=True, check=True)
            done = subprocess.run([sys.executable, "-B", TOOL, BUILD, program], check=False, text=True,
                                  capture_output=True, cwd=ROOT)
            self.assertEqual(done.returncode, 1)
            self.assertIn("libstranger.so", done.stderr)


if __name__ == "__main__":
    if shutil.which("dpkg-query") is None:
        print("SKIPPED: not a Debian machine")
        sys.exit(77)
    sys.exit(unittest.main())
