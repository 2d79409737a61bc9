#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds the rules of layering.py snippets that break them, and some that look similar but don't."""

import unittest

import layering


def messages(path, text):
    return [message for _, _, message in layering.check_file(path, text)]


class Finds(unittest.TestCase):
    def finds(self, path, text, part):
        found = messages(path, text)
        self.assertTrue(any(part in message for message in found), f"{path}: {text!r}: {found}")

    def accepts(self, path, text):
        self.assertEqual(messages(path, text), [], f"{path}: {text!r}")

    def test_includes_against_the_direction(self):
        self.finds("core/id.hpp", '#include "deploy/rollout/plan.hpp"', "core may include")
        self.finds("deploy/a.cpp", '#include "monitoring/counts/window.hpp"', "deploy may include")
        self.finds("monitoring/a.cpp", '#include "storage/store.hpp"', "monitoring may include")
        self.finds("storage/a.cpp", '#include "gateway/engine/engine.hpp"', "storage may include")
        self.finds("storage/memory/a.cpp", '#include "storage/sqlite/row.hpp"', "memory may include")
        self.finds("storage/rows/a.cpp", '#include "storage/sqlite/row.hpp"', "rows may include")
        self.finds("gateway/engine/a.cpp", '#include "gateway/runtime/loop.hpp"', "may include")
        self.finds("gateway/engine/a.cpp", '#include "gateway/codec/hello.hpp"', "may include")
        self.finds("gateway/runtime/a.cpp", '#include "gateway/adapters/mqtt/client.hpp"', "may")
        self.finds("cli/a.cpp", '#include "gateway/engine/engine.hpp"', "cli may include")

    def test_the_folders_of_monitoring_look_down(self):
        self.finds("monitoring/counts/a.cpp", '#include "monitoring/drift/drift.hpp"', "counts may")
        self.finds("monitoring/statistics/a.cpp", '#include "monitoring/counts/window.hpp"', "may")
        self.finds("monitoring/drift/a.cpp", '#include "monitoring/gates/gates.hpp"', "drift may")
        self.finds("monitoring/accuracy/a.cpp", '#include "monitoring/gates/gates.hpp"', "may")
        self.finds("monitoring/alerts/a.cpp", '#include "monitoring/drift/drift.hpp"', "alerts may")
        self.accepts("monitoring/gates/a.cpp", '#include "monitoring/accuracy/accuracy.hpp"\n')

    def test_includes_along_the_direction(self):
        self.accepts("deploy/a.cpp", '#include "core/id.hpp"\n#include "deploy/rollout/plan.hpp"\n')
        self.accepts("gateway/engine/a.cpp", '#include "storage/store.hpp"\n')
        self.accepts("gateway/coveyd/main.cpp", '#include "gateway/adapters/mqtt/client.hpp"\n')
        self.accepts("tests/unit/engine/a.cpp", '#include "gateway/engine/engine.hpp"\n')

    def test_generated_protobuf_code(self):
        line = '#include "covey/device/v1/device.pb.h"\n'
        for path in ["core/a.cpp", "deploy/a.cpp", "gateway/engine/a.cpp", "storage/a.cpp",
                     "device_agent/simulator/a.cpp", "tests/unit/monitoring/a.cpp"]:
            self.finds(path, line, "protobuf")
        for path in ["gateway/codec/a.cpp", "gateway/adapters/grpc/a.cpp", "tests/sim/a.cpp"]:
            self.accepts(path, line)

    def test_the_api_is_free_of_its_transport(self):
        self.finds("gateway/api/a.cpp", "#include <grpcpp/server.h>", "this library belongs to")
        self.finds("gateway/api/a.cpp", '#include "covey/v1/devices.grpc.pb.h"', "gRPC services")
        self.finds("gateway/api/a.cpp", '#include "gateway/adapters/grpc/peer.hpp"', "may include")
        self.accepts("gateway/api/a.cpp", '#include "covey/v1/devices.pb.h"\n')
        self.accepts("gateway/adapters/grpc/a.cpp", '#include "covey/v1/devices.grpc.pb.h"\n')

    def test_lanes_and_the_router_know_no_more_than_they_need(self):
        self.finds("gateway/runtime/lane.cpp", '#include "gateway/engine/events.hpp"', "may include")
        self.finds("gateway/runtime/lane.hpp", '#include "gateway/runtime/lag.hpp"', "may include")
        self.finds("gateway/runtime/router.cpp", '#include "gateway/runtime/runtime.hpp"', "may")
        self.finds("gateway/runtime/router.hpp", '#include "storage/store.hpp"', "may include")
        self.finds("gateway/runtime/a.cpp", '#include "gateway/config/config.hpp"', "may include")
        self.accepts("gateway/runtime/router.cpp", '#include "gateway/runtime/lane.hpp"\n')

    def test_the_agent_depends_on_nothing(self):
        self.finds("device_agent/src/a.c", "#include <stdio.h>", "the agent depends on")
        self.finds("device_agent/src/a.c", "#include <stdlib.h>", "the agent depends on")
        self.finds("device_agent/include/covey/a.h", "#include <time.h>", "the agent depends on")
        self.accepts("device_agent/src/a.c",
                     '#include "covey/agent.h"\n#include "journal.h"\n#include <string.h>\n')

    def test_who_knows_the_agent(self):
        self.finds("deploy/a.cpp", '#include "covey/agent.h"', "does not know the device agent")
        self.finds("monitoring/a.cpp", '#include "covey/agent.h"', "does not know")
        self.finds("gateway/engine/a.cpp", '#include "device_agent/src/agent.h"', "may include")
        self.accepts("gateway/adapters/runner/a.cpp", '#include "covey/runtime.h"\n')

    def test_the_doors_of_the_agents_rooms(self):
        self.finds("device_agent/src/core/a.c", '#include "../flash/flash.h"', "may include")
        self.finds("device_agent/src/flash/a.c", '#include "../link/link.h"', "may include")
        self.finds("device_agent/src/telemetry/a.c", '#include "../life/life.h"', "may include")
        self.finds("device_agent/src/transfer/a.h", '#include "../session/session.h"', "may include")
        self.finds("device_agent/src/agent/a.c", '#include "../bench/bench.h"', "may include")
        self.finds("device_agent/src/life/a.c", '#include "../flash/row.h"', "the door of this room")
        self.accepts("device_agent/src/life/a.c",
                     '#include "../flash/flash.h"\n#include "parts.h"\n#include "covey/agent.h"\n')

    def test_calls_between_the_agents_rooms(self):
        files = {
            "device_agent/src/core/clock.c": "void covey_clock_pass(void) {\n}\n",
            "device_agent/src/flash/row.c":
                "int covey_row_read(int a,\n                   int b) {\n  covey_clock_pass();\n}\n",
        }
        self.assertEqual(list(layering.check_agent_calls(files)), [])
        files["device_agent/src/core/news.c"] = (
            "int covey_row_read(int a, int b);\n"
            "void covey_news_status(void) {\n  covey_row_read(1, 2); /* covey_row_read */\n}\n")
        found = list(layering.check_agent_calls(files))
        self.assertEqual([(path, number) for path, number, _ in found],
                         [("device_agent/src/core/news.c", 1), ("device_agent/src/core/news.c", 3)])
        self.assertIn("covey_row_read is of flash, and core does not call that", found[0][2])
        # Also where a function is taken by its address, and where it is inline in a door.
        files = {
            "device_agent/src/life/life.h": "static inline int covey_life_on(int a) {\n return a;\n}\n",
            "device_agent/src/link/topic.c": "static int (*const all[])(int) = {covey_life_on};\n",
        }
        self.assertEqual(len(list(layering.check_agent_calls(files))), 1)

    def test_the_agents_rooms_have_no_circle(self):
        graph = {room: set(below.split()) for room, below in layering.AGENT_ROOMS.items()}
        self.assertEqual(list(layering.circles(graph)), [])

    def test_names_of_the_agents_functions(self):
        def found(path, text):
            return list(layering.check_agent_names({
                path: text, "device_agent/src/wire/read.c": "",
                "device_agent/include/covey/agent.h": "int covey_agent_poll(int a);"}))
        for path, text in [("device_agent/src/life/goal.c", "int covey_tell(int a) {\n}\n"),
                           ("device_agent/src/life/goal.c", "int covey_goals(int a) {\n}\n"),
                           ("device_agent/src/wire/wire.h",
                            "static inline int covey_zigzag(int a) {\n}\n")]:
            self.assertEqual(len(found(path, text)), 1)
        for path, text in [("device_agent/src/life/goal.c", "int covey_goal_receive(int a) {\n}\n"),
                           ("device_agent/src/session/say.c", "int covey_say(int a) {\n}\n"),
                           ("device_agent/src/life/goal.c", "static int judge(int a) {\n}\n"),
                           ("device_agent/src/agent/agent.c", "int covey_agent_poll(int a) {\n}\n"),
                           ("device_agent/src/wire/wire.h",
                            "static inline int covey_read_zigzag(int a) {\n}\n")]:
            self.assertEqual(found(path, text), [])

    def test_circles_of_includes(self):
        def found(files):
            return [message for _, _, message in layering.check_circles(files)]
        self.assertEqual(found({"core/a.hpp": '#include "core/b.hpp"', "core/b.hpp": ""}), [])
        self.assertEqual(
            found({"core/a.hpp": '#include "core/b.hpp"', "core/b.hpp": '#include "deploy/c.hpp"',
                   "deploy/c.hpp": '#include "core/a.hpp"'}),
            ["a circle of includes: core/a.hpp -> core/b.hpp -> deploy/c.hpp -> core/a.hpp"])
        # Beside the file, up the tree, and by the name of a public header.
        self.assertEqual(len(found({"cli/a.hpp": '#include "b.hpp"',
                                    "cli/b.hpp": '#include "a.hpp"'})), 1)
        self.assertEqual(len(found({"device_agent/src/a/a.h": '#include "../b/b.h"',
                                    "device_agent/src/b/b.h": '#include "../a/a.h"'})), 1)
        self.assertEqual(len(found({"device_agent/include/covey/a.h": '#include "covey/b.h"',
                                    "device_agent/ports/x/covey/b.h": "#include <covey/a.h>"})), 1)
        # A shared file is no circle, and two of them are two findings.
        self.assertEqual(found({"core/a.hpp": '#include "core/b.hpp"\n#include "core/c.hpp"',
                                "core/b.hpp": '#include "core/c.hpp"', "core/c.hpp": ""}), [])
        self.assertEqual(len(found({"core/a.hpp": '#include "core/a.hpp"',
                                    "core/b.hpp": '#include "core/b.hpp"'})), 2)

    def test_both_sides_know_the_limits_of_the_wire(self):
        for path in ["gateway/engine/a.cpp", "gateway/codec/a.cpp", "deploy/artifact/a.hpp"]:
            self.accepts(path, '#include "covey/limits.h"\n')
            self.finds(path, '#include "covey/sizes.h"', "does not know the device agent")

    def test_libraries_stay_in_their_place(self):
        self.finds("gateway/engine/a.cpp", "#include <grpcpp/grpcpp.h>", "library belongs to")
        self.finds("gateway/runtime/a.cpp", "#include <mqtt/async_client.h>", "library belongs to")
        self.finds("storage/memory/a.cpp", "#include <sqlite3.h>", "library belongs to")
        self.finds("deploy/rollout/a.cpp", "#include <openssl/evp.h>", "library belongs to")
        self.finds("core/a.cpp", "#include <boost/asio.hpp>", "library belongs to")
        self.finds("cli/files/plan_file.cpp", "#include <yaml-cpp/yaml.h>", "library belongs to")
        self.finds("gateway/config/a.cpp", "#include <yaml-cpp/yaml.h>", "library belongs to")
        self.accepts("storage/sqlite/a.cpp", "#include <sqlite3.h>\n")
        self.accepts("core/yaml/yaml.cpp", "#include <yaml-cpp/yaml.h>\n")

    def test_a_room_of_the_engine_changes_its_own_part(self):
        own = '#include "gateway/engine/fleet/own.hpp"\n'
        for path in ["gateway/engine/rollouts/a.cpp", "gateway/engine/engine.cpp",
                     "gateway/engine/fleet/fleet.hpp", "gateway/api/a.cpp", "tests/unit/engine/a.cpp"]:
            self.finds(path, own, "may change its part of the state")
        self.accepts("gateway/engine/fleet/goals.cpp", own)
        door = '#include "gateway/engine/turn/own.hpp"\n'
        self.accepts("gateway/engine/engine.cpp", door)
        self.accepts("gateway/engine/turn/turn.cpp", door)
        self.finds("gateway/engine/fleet/goals.cpp", door, "may change its part of the state")

    def test_clocks(self):
        for code in ["auto t = std::chrono::system_clock::now();", "auto t = steady_clock::now();",
                     "auto t = time(nullptr);", "clock_gettime(CLOCK_MONOTONIC, &t);",
                     "gettimeofday(&t, 0);"]:
            for path in ["core/a.cpp", "deploy/x/a.cpp", "monitoring/a.cpp", "gateway/engine/a.cpp",
                         "device_agent/src/a.c"]:
                self.finds(path, code, "reads a clock")
            self.accepts("gateway/runtime/a.cpp", code)
        self.accepts("core/a.cpp", "// steady_clock::now() is not for us\n")
        self.accepts("deploy/a.cpp", "auto t = window.time(now); auto s = soak_time(0);\n")

    def test_input_and_output(self):
        self.finds("monitoring/a.cpp", "#include <fstream>", "input and output")
        self.finds("deploy/rollout/a.cpp", "#include <thread>", "input and output")
        self.accepts("cli/a.cpp", "#include <fstream>\n")

    def test_raw_memory(self):
        self.finds("core/a.cpp", "auto* a = new Thing();", "raw new")
        self.finds("core/a.cpp", "delete thing;", "raw delete")
        self.finds("core/a.cpp", "delete[] things;", "raw delete")
        self.accepts("core/a.cpp", "Thing(const Thing&) = delete;  // a new Thing\n")
        self.accepts("core/a.cpp", 'auto text = "new thing"; int renew = newest + 1;\n')
        self.accepts("device_agent/src/a.c", "int new_slot = covey_new(new_size);\n")

    def test_threads_and_sleeps(self):
        self.finds("gateway/a.cpp", "std::thread(work).detach();", "detached")
        self.finds("tests/unit/core/a.cpp", "std::this_thread::sleep_for(21ms);", "never sleep")
        self.finds("tests/unit/core/a.cpp", "std::this_thread::sleep_for(wait);", "never sleep")
        self.accepts("tests/e2e/a.cpp", "while (!done()) std::this_thread::sleep_for(20ms);\n")
        self.finds("tests/e2e/a.cpp", "usleep(1000);", "never sleep")
        self.accepts("gateway/runtime/a.cpp", "std::this_thread::sleep_for(10ms);\n")

    def test_leftovers(self):
        self.finds("core/a.cpp", "// TO" "DO later", "leftover")
        self.finds("docs/a.md", "FIX" "ME", "leftover")
        self.finds("core/a.cpp", "int x;  // NOLINT", "NOLINT without")
        self.finds("core/a.cpp", "int x;  // NOLINTNEXTLINE", "NOLINT without")
        self.accepts("core/a.cpp", "int x;  // NOLINT(bugprone-foo)\n")

    def test_long_lines(self):
        for path in ["core/a.cpp", "device_agent/src/a.c", "proto/a.proto", "core/CMakeLists.txt",
                     "cmake/a.cmake", "tools/a.sh"]:
            self.finds(path, "x" * 101, "101 columns")
            self.accepts(path, "x" * 100)
        self.finds("dev", "#!/usr/bin/env bash\n" + "x" * 101, "101 columns")

    def test_paths_of_one_machine(self):
        self.finds("docs/a.md", "see /" "home/me/covey", "path of one machine")
        self.accepts("docs/a.md", "see build/home/x and https://example.com/home/x\n")

    def test_readmes(self):
        found = list(layering.check_readmes({"core/a.cpp": "", "dev": "", ".ci/run": ""}))
        self.assertEqual([path for path, _, _ in found], ["core/README.md"])
        found = list(layering.check_readmes({"core/README.md": "line\n" * 41}))
        self.assertEqual(len(found), 1)
        self.assertEqual(list(layering.check_readmes({"core/README.md": "line\n" * 40})), [])


if __name__ == "__main__":
    unittest.main()
