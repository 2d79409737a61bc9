// SPDX-License-Identifier: Apache-2.0
// ListWindows: pages end where they are full of rows or of bytes, also among the windows of one
// start, between which the store makes no difference.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/queries/existence.hpp"

namespace covey::api {
namespace {

// A window among those of one start, in the store's order.
using WindowPlace = std::tuple<std::string, int64_t, int64_t, std::string>;
WindowPlace place_of(const WindowRecord& row) {
  return {to_hex(row.manifest), row.index, row.length.count(), row.cohort.text()};
}

// Where a page of windows ends: behind all of one start, or behind one of them.
struct WindowToken {
  uint64_t start = 0;  // 0: nothing was seen
  std::optional<WindowPlace> place;

  std::string text() const {
    if (!place) return fmt::to_string(start);
    const auto& [manifest, index, length, cohort] = *place;
    return fmt::format("{}|{}|{}|{}|{}", start, manifest, index, length, cohort);
  }
  bool saw(const WindowRecord& row) const {
    return place && static_cast<uint64_t>(row.start.count()) == start && place_of(row) <= *place;
  }
  uint64_t before() const { return place ? start + 1 : start; }
};

Result<WindowToken> read_window_token(const std::string& token) {
  const Result<std::string> text = read_page_token("windows", token);
  if (!text) return text.error();
  WindowToken read;
  if (text->empty()) return read;
  std::vector<std::string> parts;
  size_t from = 0;
  for (size_t bar = text->find('|'); bar != std::string::npos && parts.size() < 4;
       bar = text->find('|', from)) {
    parts.push_back(text->substr(from, bar - from));
    from = bar + 1;
  }
  parts.push_back(text->substr(from));
  const auto number = [](const std::string& digits, auto& to) {
    const char* const end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, to);
    return error == std::errc() && stopped == end;
  };
  bool good = number(parts[0], read.start) && (parts.size() == 1 || parts.size() == 5);
  if (good && parts.size() == 5) {
    WindowPlace place{parts[1], 0, 0, parts[4]};
    good = number(parts[2], std::get<1>(place)) && number(parts[3], std::get<2>(place));
    read.place = std::move(place);
  }
  if (!good) return bad_page_token();
  return read;
}

// A page of windows from the rows that the store has, some at a time.
class WindowPage {
 public:
  WindowPage(std::vector<WindowRecord> rows, size_t size, WindowToken token)
      : rows_(std::move(rows)), more_(rows_.size() >= size), room_(size), token_(std::move(token)) {
    while (next_ < rows_.size() && token_.saw(rows_[next_])) ++next_;
  }

  template <typename C>
  Result<bool> operator()(const engine::Engine& engine, C& call) {
    for (size_t shown = 0; next_ < rows_.size(); ++next_, ++shown) {
      const WindowRecord& row = rows_[next_];
      if (!room_.has_room()) {
        const WindowRecord& last = rows_[next_ - 1];
        WindowToken end{static_cast<uint64_t>(last.start.count()), std::nullopt};
        if (last.start == row.start) end.place = place_of(last);
        call.response.set_next_page_token(page_token("windows", end.text()));
        return true;
      }
      if (shown == kWindowsPerLook) return false;
      fill(*call.response.add_windows(), engine.state(), row);
      room_.take(*call.response.windows().rbegin());
    }
    if (more_) {
      call.response.set_next_page_token(
          page_token("windows", fmt::to_string(rows_.back().start.count())));
    }
    return true;
  }

 private:
  static constexpr size_t kWindowsPerLook = 100;

  std::vector<WindowRecord> rows_;
  bool more_;
  size_t next_ = 0;
  PageRoom room_;
  WindowToken token_;
};

}  // namespace

void list_windows(const CallPtr<v1::ListWindowsRequest, v1::ListWindowsResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<WindowToken> token = read_window_token(call->request.page_token());
  if (!token) return call->finish(token.error());
  Result<ModelName> model = model_name(call->request.model(), "model");
  if (!model) return call->finish(model.error());
  DeviceId device;
  if (!call->request.device().empty()) {
    Result<DeviceId> id = device_name(call->request.device(), "device");
    if (!id) return call->finish(id.error());
    device = *std::move(id);
  }
  // What the model's manifests are, then the rows, then their words for the answer.
  const auto manifests = std::make_shared<std::vector<Digest>>();
  const auto known = std::make_shared<Status>();
  call->context->engine.read(
      [manifests, known, device, model = *model](const engine::Engine& engine) {
        *known = engine::expect_model(engine.state(), model);
        if (*known && !device.empty()) *known = engine::expect_device(engine.state(), device);
        for (const auto& [digest, artifact] : engine.state().catalogue.artifacts) {
          if (artifact.release.model == model) manifests->push_back(digest);
        }
      },
      [call, manifests, known, device, size = *size, token = *token](const Status& looked) {
        if (!looked || !*known) return call->finish(looked ? *known : looked);
        page_from_history(
            call,
            [manifests, device, size, token](Reader& reader) {
              return reader.windows(*manifests, device, {.limit = size, .before = token.before()});
            },
            [size, token](std::vector<WindowRecord> rows) {
              return WindowPage(std::move(rows), size, token);
            });
      },
      call->wanted());
}

}  // namespace covey::api
