// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/config.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gateway/config/schema.hpp"

namespace covey::config {
namespace {

ConfigOutcome from_yaml(std::string yaml, std::map<std::string, std::string> environment = {}) {
  return parse_config({.yaml = std::move(yaml),
                       .file_name = "site.yaml",
                       .environment = std::move(environment),
                       .data_dir = "/data"});
}

std::vector<std::string> messages(const ConfigOutcome& outcome) {
  std::vector<std::string> texts;
  for (const Error& error : outcome.errors) texts.push_back(error.message);
  return texts;
}

TEST(Config, DataDirectoryAloneIsEnough) {
  const ConfigOutcome outcome = from_yaml("");
  EXPECT_TRUE(outcome.ok()) << ::testing::PrintToString(messages(outcome));
  EXPECT_EQ(outcome.config.data_dir, "/data");
  EXPECT_EQ(outcome.config.grpc.unix_socket, "/data/covey.sock");
  EXPECT_EQ(outcome.config.mqtt.mode, MqttMode::kEmbedded);
  EXPECT_FALSE(outcome.config.enroll.auto_accept);
  EXPECT_EQ(outcome.config.telemetry.commit_interval, 50ms);
}

TEST(Config, EveryDefaultIsWithinItsOwnLimits) {
  Config defaults;
  defaults.grpc.unix_socket = "/data/covey.sock";
  for (const Key& key : schema()) {
    Config copy = defaults;
    const Status read = key.read(copy, key.write(defaults));
    EXPECT_TRUE(read.ok()) << key.path << ": " << read.error().message;
    EXPECT_EQ(key.write(copy), key.write(defaults)) << key.path;
  }
}

TEST(Config, ReadsEveryKindOfValue) {
  const ConfigOutcome outcome = from_yaml(R"(
site: {name: hall-7}
grpc:
  listen: '[::1]:0'
  unix: off
mqtt:
  mode: external
  external: {host: localhost, port: 1884, username: gw}
telemetry: {window: 10s, report_interval: 5s}
enroll: {auto_accept: true}
log: {level: debug, format: json}
monitoring: {drift: {warn_delta: 0.05, page_delta: 20%}}
)");
  ASSERT_TRUE(outcome.ok()) << ::testing::PrintToString(messages(outcome));
  const Config& config = outcome.config;
  EXPECT_EQ(config.site.name, "hall-7");
  EXPECT_EQ(config.grpc.listen, (ListenAddress{"::1", 0}));
  EXPECT_EQ(config.grpc.unix_socket, "");
  EXPECT_EQ(config.mqtt.mode, MqttMode::kExternal);
  EXPECT_EQ(config.mqtt.external.port, 1884);
  EXPECT_EQ(config.telemetry.window, 10s);
  EXPECT_TRUE(config.enroll.auto_accept);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  EXPECT_EQ(config.monitoring.drift.warn_delta.ppm, 50'000);
  EXPECT_EQ(config.monitoring.drift.page_delta.ppm, 200'000);
  EXPECT_EQ(outcome.origins.find("site.name")->second, "site.yaml:2");
}

TEST(Config, AllErrorsAtOnceWithLineAndPath) {
  const ConfigOutcome outcome = from_yaml(
      "grpc:\n"
      "  listne: 127.0.0.1:1\n"
      "  max_connections: many\n"
      "mqtt:\n"
      "  embedded:\n"
      "    port: 70000\n"
      "    port: 1\n"
      "telemetry: 15m\n"
      "colour: blue\n");
  const std::vector<std::string> expected = {
      "site.yaml:2: grpc.listne: unknown key; did you mean grpc.listen?",
      "site.yaml:3: grpc.max_connections: 'many' is not a whole number from 1 to 20000",
      "site.yaml:6: mqtt.embedded.port: '70000' is not a whole number from 0 to 65535",
      "site.yaml:7: mqtt.embedded.port: is given twice; remove one",
      "site.yaml:8: telemetry: must be a section with keys of its own",
      "site.yaml:9: colour: unknown key; coveyd --print-config shows all keys",
  };
  EXPECT_EQ(messages(outcome), expected);
  EXPECT_EQ(outcome.errors[0].reason, "UNKNOWN_KEY");
  EXPECT_EQ(outcome.errors[3].reason, "DUPLICATE_KEY");
}

TEST(Config, ABrokerElsewhereIsReachedOverTls) {
  for (const char* yaml : {"mqtt: {mode: external, external: {host: broker.plant}}",
                           "mqtt: {mode: external, external: {host: 10.0.0.9}}"}) {
    const ConfigOutcome outcome = from_yaml(yaml);
    ASSERT_EQ(outcome.errors.size(), 1u) << yaml;
    EXPECT_EQ(outcome.errors[0].reason, "TLS_REQUIRED");
    EXPECT_NE(outcome.errors[0].message.find("site.yaml:1"), std::string::npos);
  }
}

TEST(Config, CallersSpeakTlsBeyondLoopback) {
  const ConfigOutcome outcome =
      from_yaml("grpc: {listen: 0.0.0.0:7070}\nhttp: {listen: '[::]:7071'}");
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(speaks_tls(outcome.config, outcome.config.grpc.listen.host));
  EXPECT_TRUE(speaks_tls(outcome.config, outcome.config.http.listen.host));
  const Config inside = from_yaml("").config;
  EXPECT_FALSE(speaks_tls(inside, inside.grpc.listen.host));
  EXPECT_FALSE(speaks_tls(inside, inside.http.listen.host));
}

TEST(Config, RolesOnLoopbackHaveWords) {
  EXPECT_EQ(from_yaml("").config.access.loopback_role, "viewer");
  EXPECT_EQ(from_yaml("access: {loopback_role: none}").config.access.loopback_role, "none");
  EXPECT_FALSE(from_yaml("access: {loopback_role: root}").ok());
}

TEST(Config, DevicesSpeakTlsBeyondLoopback) {
  struct Case {
    const char* listen;
    const char* plaintext;
    bool tls;
  };
  for (const Case& c : {Case{"127.0.0.1", "loopback", false}, Case{"localhost", "loopback", false},
                        Case{"::1", "loopback", false}, Case{"10.0.0.5", "loopback", true},
                        Case{"0.0.0.0", "loopback", true}, Case{"::", "loopback", true},
                        Case{"127.0.0.1", "never", true}, Case{"0.0.0.0", "anywhere", false}}) {
    const ConfigOutcome outcome = parse_config(
        {.yaml = fmt::format("mqtt: {{embedded: {{listen: \"{}\"}}}}\ntls: {{plaintext: {}}}\n",
                             c.listen, c.plaintext)});
    ASSERT_TRUE(outcome.ok()) << c.listen << ": " << outcome.errors[0].message;
    EXPECT_EQ(speaks_tls(outcome.config, outcome.config.mqtt.embedded.listen), c.tls)
        << c.listen << " " << c.plaintext;
  }
  const ConfigOutcome name = parse_config({.yaml = "mqtt: {embedded: {listen: gateway.plant}}\n"});
  ASSERT_EQ(name.errors.size(), 1U);
  EXPECT_NE(name.errors[0].message.find("an IP address"), std::string::npos);
}

TEST(Config, NamesOfTheGatewayAreComparedAsCertificatesHaveThem) {
  const ConfigOutcome outcome =
      parse_config({.yaml = "site: {names: \"GW.Plant, 10.0.0.5,fd00:0::5 ,gw.plant\"}\n"});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.config.site.names,
            (std::vector<std::string>{"10.0.0.5", "fd00::5", "gw.plant"}));
  for (const char* bad : {"*.plant", "a b", "gw/plant", "gw,,x", "gw#1", ".plant", "g\xc3\xbc"}) {
    EXPECT_EQ(parse_config({.yaml = fmt::format("site: {{names: \"{}\"}}\n", bad)}).errors.size(),
              1U)
        << bad;
  }
}

TEST(Config, AnExternalBrokerElsewhereIsReachedOverTls) {
  EXPECT_TRUE(
      parse_config({.yaml = "mqtt: {mode: external, external: {host: broker.plant, ca_file: "
                            "ca.pem}}\n"})
          .ok());
  EXPECT_TRUE(parse_config({.yaml = "mqtt: {mode: external, external: {host: broker.plant}}\ntls: "
                                    "{plaintext: anywhere}\n"})
                  .ok());
  for (const char* bad : {"{certificate_file: a, key_file: b}", "{ca_file: c, certificate_file: a}",
                          "{ca_file: c, key_file: b}", "{ca_file: c, host: 'a b'}"}) {
    EXPECT_EQ(parse_config({.yaml = fmt::format("mqtt: {{mode: external, external: {}}}\n", bad)})
                  .errors.size(),
              1U)
        << bad;
  }
}

TEST(Config, CertificateAndKeyBelongTogether) {
  EXPECT_EQ(parse_config({.yaml = "tls: {certificate_file: a.pem}\n"}).errors.size(), 1U);
  EXPECT_EQ(parse_config({.yaml = "tls: {key_file: a.key}\n"}).errors.size(), 1U);
  EXPECT_EQ(parse_config({.yaml = "tls: {ca_file: ca.pem}\n"}).errors.size(), 1U);
  EXPECT_TRUE(parse_config({.yaml = "tls: {certificate_file: a, key_file: b, ca_file: c}\n"}).ok());
}

TEST(Config, EnvironmentWinsOverTheFileAndIsChecked) {
  const ConfigOutcome outcome =
      from_yaml("mqtt: {embedded: {port: 1}}\nlog: {level: warn}",
                {{"COVEY_MQTT_EMBEDDED_PORT", "0"}, {"COVEY_SERVICE_HOST", "10.0.0.1"}});
  ASSERT_TRUE(outcome.ok()) << ::testing::PrintToString(messages(outcome));
  EXPECT_EQ(outcome.config.mqtt.embedded.port, 0);
  EXPECT_EQ(outcome.origins.find("mqtt.embedded.port")->second, "COVEY_MQTT_EMBEDDED_PORT");
  EXPECT_EQ(outcome.config.log.level, LogLevel::kWarn);

  const ConfigOutcome bad = from_yaml("", {{"COVEY_LOG_LEVEL", "loud"}});
  ASSERT_EQ(bad.errors.size(), 1u);
  EXPECT_EQ(bad.errors[0].message,
            "COVEY_LOG_LEVEL: log.level: 'loud' is not one of trace, debug, info, warn, error");
}

TEST(Config, AMisspeltVariableIsAnErrorAndOthersAreNot) {
  const ConfigOutcome outcome =
      from_yaml("", {{"COVEY_MQTT_EMBEDED_PORT", "0"}, {"COVEY_LOGLEVEL", "warn"}});
  ASSERT_EQ(outcome.errors.size(), 2u) << "all at once";
  for (const Error& error : outcome.errors) EXPECT_EQ(error.reason, "UNKNOWN_VARIABLE");
  EXPECT_NE(outcome.errors[1].message.find("did you mean COVEY_MQTT_EMBEDDED_PORT?"),
            std::string::npos);
  const ConfigOutcome fine = from_yaml("", {{"COVEY_DATA", "/srv"},
                                            {"COVEY_ADDRESS", "127.0.0.1:7070"},
                                            {"COVEY_BIN_DIR", "build/dev/bin"},
                                            {"COVEY_PORT", "tcp://10.0.0.1:7070"},
                                            {"COVEY_PORT_7070_TCP_ADDR", "10.0.0.1"},
                                            {"COVEY_EAST_SERVICE_PORT_GRPC", "7070"}});
  EXPECT_TRUE(fine.ok()) << ::testing::PrintToString(messages(fine));
}

TEST(Config, Contradictions) {
  const auto reason = [](std::string yaml) {
    const ConfigOutcome outcome = from_yaml(std::move(yaml));
    return outcome.errors.size() == 1 ? outcome.errors[0].message : "not one error";
  };
  EXPECT_NE(reason("http: {listen: 127.0.0.1:7070}").find("already that of grpc.listen"),
            std::string::npos);
  EXPECT_NE(reason("offline: {silence_after: 16m}").find("less than two"), std::string::npos);
  EXPECT_NE(reason("monitoring: {drift: {warn_delta: 50%}}").find("warn before you page"),
            std::string::npos);
  EXPECT_NE(reason("monitoring: {drift: {fire: 4}}").find("can never reject"), std::string::npos);
  EXPECT_TRUE(from_yaml("grpc: {listen: 127.0.0.1:0}\nhttp: {listen: 127.0.0.1:0}").ok());
}

TEST(Config, BadYamlIsAnErrorWithItsLine) {
  EXPECT_EQ(from_yaml("site:\n  name: [\n").errors.back().reason, "BAD_YAML");
  EXPECT_EQ(from_yaml("site: {name: a}\n---\nsite: {name: b}").errors[0].reason, "BAD_YAML");
  EXPECT_EQ(from_yaml("site: {name: &a x}\nlog: {level: *a}").errors[1].message,
            "site.yaml:2: anchors and aliases are not supported");
  EXPECT_EQ(from_yaml("- list").errors[0].message,
            "site.yaml:1: must be a mapping of keys to values");
  EXPECT_EQ(from_yaml(std::string(300'000, '#')).errors[0].reason, "FILE_TOO_LARGE");
  EXPECT_EQ(from_yaml("site: {name: [a, b]}").errors[0].message,
            "site.yaml:1: site.name: must be one value (name)");
}

TEST(Config, SecretsAreNeitherReadFromTheFileNorPrinted) {
  const ConfigOutcome refused = from_yaml("mqtt: {external: {password: hunter2}}");
  ASSERT_EQ(refused.errors.size(), 1u);
  EXPECT_EQ(refused.errors[0].reason, "SECRET_IN_FILE");
  EXPECT_EQ(refused.errors[0].message.find("hunter2"), std::string::npos);

  const ConfigOutcome outcome = from_yaml("", {{"COVEY_MQTT_EXTERNAL_PASSWORD", "hunter2"}});
  EXPECT_EQ(outcome.config.mqtt.external.password, "hunter2");
  const std::string printed = print_config(outcome);
  EXPECT_EQ(printed.find("hunter2"), std::string::npos);
  EXPECT_NE(printed.find("# password: <redacted>  # COVEY_MQTT_EXTERNAL_PASSWORD"),
            std::string::npos);
}

TEST(Config, PrintedConfigurationReadsBackToTheSame) {
  const ConfigOutcome outcome = from_yaml(
      "grpc: {listen: '[::1]:0', unix: '/tmp/a \"b\" \\c: #d'}\n"
      "mqtt: {embedded: {binary: '- x'}}\n",
      {{"COVEY_TELEMETRY_WINDOW", "90s"}});
  ASSERT_TRUE(outcome.ok()) << ::testing::PrintToString(messages(outcome));
  const std::string printed = print_config(outcome);
  const ConfigOutcome again = from_yaml(printed);
  ASSERT_TRUE(again.ok()) << ::testing::PrintToString(messages(again)) << printed;
  for (const Key& key : schema()) {
    EXPECT_EQ(key.write(again.config), key.write(outcome.config)) << key.path;
  }
  EXPECT_NE(printed.find("  window: 1m30s  # COVEY_TELEMETRY_WINDOW\n"), std::string::npos)
      << printed;
  EXPECT_NE(printed.find("# data directory: /data  # --data"), std::string::npos);
}

TEST(Config, ReferenceNamesEveryKey) {
  const std::string reference = config_reference();
  for (const Key& key : schema()) {
    EXPECT_NE(reference.find("| `" + key.path + "` |"), std::string::npos) << key.path;
    EXPECT_FALSE(key.help.empty()) << key.path;
  }
}

TEST(Config, EnvironmentNamesAreDistinct) {
  std::map<std::string, std::string> names;
  for (const Key& key : schema()) {
    const auto [other, fresh] = names.emplace(environment_name(key.path), key.path);
    EXPECT_TRUE(fresh) << key.path << " and " << other->second;
  }
  EXPECT_EQ(names.count("COVEY_DATA"), 0u);
}

class LoadConfig : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "covey-config-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string folder_;
};

TEST_F(LoadConfig, FindsTheFileInTheDataDirectory) {
  write("covey.yaml", "site: {name: found}\n");
  const ConfigOutcome outcome = load_config("", folder_ + "/.//");
  ASSERT_TRUE(outcome.ok()) << ::testing::PrintToString(messages(outcome));
  EXPECT_EQ(outcome.config.site.name, "found");
  EXPECT_EQ(outcome.config.data_dir, folder_);
  EXPECT_EQ(outcome.origins.find("site.name")->second, folder_ + "/covey.yaml:1");
}

TEST_F(LoadConfig, ReadsThePasswordFile) {
  write("password", "s3cret\n");
  write("c.yaml", "mqtt: {mode: external, external: {password_file: " + folder_ + "/password}}");
  const auto allow = [&](mode_t mode) { ::chmod((folder_ + "/password").c_str(), mode); };
  allow(0644);
  EXPECT_EQ(load_config(folder_ + "/c.yaml", folder_).errors.at(0).reason, "EXPOSED_FILE");
  allow(0640);  // its group: Kubernetes' fsGroup
  const ConfigOutcome outcome = load_config(folder_ + "/c.yaml", folder_);
  ASSERT_TRUE(outcome.ok()) << ::testing::PrintToString(messages(outcome));
  EXPECT_EQ(outcome.config.mqtt.external.password, "s3cret");
  EXPECT_EQ(print_config(outcome).find("s3cret"), std::string::npos);
}

TEST_F(LoadConfig, MissingFilesAreErrors) {
  write("c.yaml", "mqtt: {external: {password_file: " + folder_ + "/none}}");
  EXPECT_EQ(load_config(folder_ + "/absent.yaml", folder_).errors.at(0).reason,
            "CONFIG_UNREADABLE");
  EXPECT_EQ(load_config(folder_ + "/c.yaml", folder_).errors.at(0).reason, "FILE_READ");
}

TEST(ListenAddress, Strict) {
  for (const char* bad : {"", "7070", ":7070", "localhost:1", "127.0.0.1:", "127.0.0.1:65536",
                          "127.0.0.1:-1", "127.0.0.1:1 ", "::1:70", "[127.0.0.1]:1", "[::1]"}) {
    EXPECT_FALSE(parse_listen_address(bad).ok()) << bad;
  }
  EXPECT_EQ(to_string(*parse_listen_address("[::1]:80")), "[::1]:80");
  EXPECT_TRUE(is_loopback("127.3.2.1"));
  EXPECT_FALSE(is_loopback("127.evil.example"));
}

}  // namespace
}  // namespace covey::config
