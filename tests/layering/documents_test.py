#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds the rules of documents.py trees that break them, and some that look similar but don't."""

import unittest

import documents


def messages(rule, files):
    return [f"{path}: {message}" for path, _, message in rule(files)]


class FolderReadmes(unittest.TestCase):
    def test_ten_sources_need_one(self):
        sources = {f"core/part/{i}.cpp": "" for i in range(10)}
        found = messages(documents.check_folder_readmes, sources)
        self.assertEqual(len(found), 1)
        self.assertIn("core/part/README.md: missing: core/part has 10 sources", found[0])

    def test_nine_do_not_and_other_files_are_no_sources(self):
        files = {f"core/part/{i}.hpp": "" for i in range(9)}
        files |= {f"core/part/{i}.md": "" for i in range(20)}
        files["core/part/below/10.hpp"] = ""
        self.assertEqual(messages(documents.check_folder_readmes, files), [])

    def test_it_is_short(self):
        files = {f"core/{i}.py": "" for i in range(10)}
        files["core/README.md"] = "line\n" * 40
        self.assertEqual(messages(documents.check_folder_readmes, files), [])
        files["core/README.md"] = "line\n" * 41
        self.assertEqual(messages(documents.check_folder_readmes, files),
                         ["core/README.md: more than 40 lines"])


class NamedFiles(unittest.TestCase):
    TREE = {"core/id.hpp": "", "core/id.cpp": "", "gateway/engine/turn/turn.hpp": "",
            "tests/sim/checks.cpp": "", "device_agent/include/covey/agent.h": ""}

    def found(self, document, text):
        return messages(documents.check_named_files, self.TREE | {document: text})

    def test_what_is_not_there(self):
        for document in ["README.md", "gateway/README.md", "docs/architecture.md",
                         "docs/design/rollouts.md"]:
            for name in ["core/none.hpp", "none.cpp", "gateway/turn.hpp", "core/id.{hpp,h}",
                         "core/x*.hpp", "docs/design/none.md"]:
                with self.subTest(document=document, name=name):
                    self.assertEqual(len(self.found(document, f"see\n`{name}`")), 1)

    def test_a_readme_names_what_is_below_it(self):
        self.assertEqual(len(self.found("gateway/README.md", "`id.hpp`")), 1)
        self.assertEqual(self.found("core/README.md", "`id.hpp`, `id.{hpp,cpp}`, `i*.cpp`"), [])
        self.assertEqual(self.found("gateway/README.md", "`turn.hpp`, `tests/sim/checks.cpp`"), [])
        self.assertEqual(self.found("gateway/README.md", "`../core/id.hpp`, `covey/agent.h`"), [])

    def test_pages_of_docs_name_what_is_anywhere(self):
        self.assertEqual(self.found("docs/architecture.md", "`turn.hpp`, `core/id.hpp`"), [])

    def test_what_is_no_file_of_the_tree(self):
        self.assertEqual(self.found("docs/architecture.md", "`string.h`, `build/x.cpp`, `a.b`, "
                                    "`NNNN_name.sql`, `covey.yaml`, `state.hpp is here`"), [])
        self.assertEqual(self.found("docs/architecture.md", "```\n`none.hpp`\n```\n"), [])
        self.assertEqual(self.found("docs/api.md", "`none.hpp`"), [])


class Citations(unittest.TestCase):
    TREE = {"docs/design/rollouts.md": "# Rollouts\n\n## Order of devices\n```\n## Not this\n```\n",
            "docs/adr/0001-engine-without-io.md": "# 0001: The engine"}

    def found(self, text, path="core/a.cpp"):
        return messages(documents.check_citations, self.TREE | {path: text})

    def test_pages_and_headings_that_are_not_there(self):
        for text in ["// docs/design/none.md", "// docs/adr/0099", "(docs/none.md)",
                     '// docs/design/rollouts.md, "Order"',
                     '// docs/design/rollouts.md, "Order\n// of all devices"',
                     '// docs/design/rollouts.md,\n//   "Not this"']:
            with self.subTest(text):
                self.assertEqual(len(self.found(text)), 1, self.found(text))

    def test_pages_and_headings_that_are_there(self):
        for text in ["// docs/design/rollouts.md", "/* docs/adr/0001: why */",
                     "see docs/adr/0001-engine-without-io.md.",
                     '// (docs/design/rollouts.md, "Order of devices")',
                     '/* docs/design/rollouts.md, "Order\n * of devices" */',
                     '# docs/design/rollouts.md,\n# "Order of devices"',
                     'call("docs/design/rollouts.md", "text")']:
            with self.subTest(text):
                self.assertEqual(self.found(text), [])

    def test_documents_outside_the_repository(self):
        for text in ["// DES" "IGN.md section 4", "see STY" "LE.md", "// (DES" "IGN section 6)",
                     "MONITO" "RING sections 1 and 2", "DES" "IGN: so it is", "ROO" "MS.md's table"]:
            with self.subTest(text):
                self.assertEqual(len(self.found(text)), 1)
        self.assertEqual(self.found("// PORTING.md, a DESIGN of RUNTIME kind"), [])

    def test_the_line_of_a_finding(self):
        found = list(documents.check_citations({"a.py": "x\n\n# docs/\n# docs/none.md"}))
        self.assertEqual([(path, line) for path, line, _ in found], [("a.py", 4)])


class Licences(unittest.TestCase):
    def found(self, path, text):
        return messages(documents.check_licences, {path: text})

    def test_sources_without_the_line(self):
        line = "SPDX-License-" "Identifier: Apache-2.0"
        for path, text in [("core/a.cpp", ""), ("core/a.hpp", "// A header.\n"),
                           ("core/a.cpp", f"// A.\n// {line}\n"), ("core/a.cpp", f"# {line}\n"),
                           ("core/a.cpp", "// SPDX-License-" "Identifier: MIT\n"),
                           ("device_agent/a.c", f"// {line}\n"), ("a.py", "import re\n"),
                           ("dev", "#!/usr/bin/env bash\n# Help.\n"), ("CMakeLists.txt", "x\n"),
                           ("a.py", f"#!/usr/bin/env python3\n\n# {line}\n"), ("a.sql", "-- x\n"),
                           ("storage/list.cpp.in", "// x\n"), ("deploy/a.fbs", "table A {}\n"),
                           ("helm/covey/templates/a.yaml", "kind: X\n"),
                           ("containers/Containerfile", "FROM x\n")]:
            with self.subTest(path=path, text=text):
                self.assertEqual(len(self.found(path, text)), 1)

    def test_sources_with_it_and_data(self):
        line = documents.LICENCE
        for path, text in [("core/a.cpp", f"// {line}\n// A.\n"), ("a.h", f"/* {line} */\n"),
                           ("dev", f"#!/usr/bin/env bash\n# {line}\n"), ("a.sql", f"-- {line}\n"),
                           ("helm/covey/templates/NOTES.txt", f"{{{{- /* {line} */ -}}}}\n"),
                           ("tools/a.py", f"#!/usr/bin/env python3\n# {line}\n"),
                           ("a.json", "{}"), ("helm/covey/values.yaml", "a: 1\n"), ("a.md", "# A"),
                           ("storage/sqlite/schema.sql", "CREATE TABLE a (b);\n")]:
            with self.subTest(path=path):
                self.assertEqual(self.found(path, text), [])


if __name__ == "__main__":
    unittest.main()
