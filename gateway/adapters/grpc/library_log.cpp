// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/library_log.hpp"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <atomic>
#include <string_view>

namespace covey {
namespace {

std::atomic<void (*)(LibraryLevel, const char*, const std::string&)> library_listener{nullptr};

void tell(LibraryLevel level, const char* library, std::string_view file, int line,
          std::string_view text) {
  const auto said = library_listener.load();
  if (said == nullptr) return;
  const std::string_view name = file.substr(file.rfind('/') + 1);
  said(level, library, fmt::format("{} ({}:{})", text, name, line));
}

void on_grpc(gpr_log_func_args* said) {
  const LibraryLevel level = said->severity == GPR_LOG_SEVERITY_ERROR  ? LibraryLevel::kError
                             : said->severity == GPR_LOG_SEVERITY_INFO ? LibraryLevel::kInfo
                                                                       : LibraryLevel::kDebug;
  tell(level, "grpc", said->file, said->line, said->message);
}

void on_protobuf(google::protobuf::LogLevel severity, const char* file, int line,
                 const std::string& text) {
  const bool worse = severity >= google::protobuf::LOGLEVEL_ERROR;
  tell(worse ? LibraryLevel::kError : LibraryLevel::kInfo, "protobuf", file, line, text);
}

}  // namespace

void log_grpc_to(void (*said)(LibraryLevel level, const char* library, const std::string& text)) {
  library_listener = said;
  gpr_set_log_function(on_grpc);
  google::protobuf::SetLogHandler(on_protobuf);
}

}  // namespace covey
