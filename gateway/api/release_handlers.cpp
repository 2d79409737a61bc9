// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/queries/questions.hpp"

namespace covey::api {
namespace {

using Releases = std::map<ReleaseId, ReleaseRecord>;

constexpr Version kHighest{UINT32_MAX, UINT32_MAX, UINT32_MAX};

// Models by name, versions of each newest first: the first of a model not before `model`.
Releases::const_iterator newest_of(const Releases& releases, Releases::const_iterator any) {
  if (any == releases.end()) return any;
  return std::prev(releases.upper_bound({any->first.model, kHighest}));
}
Releases::const_iterator after(const Releases& releases, const ReleaseId& release) {
  const auto here = releases.lower_bound(release);
  if (here != releases.begin() && std::prev(here)->first.model == release.model) {
    return std::prev(here);
  }
  return newest_of(releases, releases.upper_bound({release.model, kHighest}));
}

// A page of releases, and how many devices have each confirmed.
class ReleasePage {
 public:
  ReleasePage(size_t size, std::optional<ModelName> model, std::optional<ReleaseId> last)
      : model_(model), last_(std::move(last)), use_(std::move(model)), room_(size) {}

  template <typename C>
  Result<bool> operator()(const engine::Engine& engine, C& call) {
    const engine::State& state = engine.state();
    if (model_) {
      if (Status known = engine::expect_model(state, *model_); !known) return known.error();
    }
    if (!counted_) {
      counted_ = use_.look(state);
      return false;
    }
    const Releases& releases = state.catalogue.releases;
    Releases::const_iterator next = last_ ? after(releases, *last_) : first(releases);
    for (size_t shown = 0; next != releases.end() && (!model_ || next->first.model == *model_);
         next = after(releases, next->first), ++shown) {
      if (!room_.has_room()) {
        call.response.set_next_page_token(page_token("releases", to_string(*last_)));
        return true;
      }
      if (shown == kReleasesPerLook) return false;
      v1::Release& row = *call.response.add_releases();
      fill(row, next->second);
      row.set_withheld(engine::withheld(state.catalogue, next->first));
      row.set_devices_confirmed(use_.devices(next->first));
      room_.take(row);
      last_ = next->first;
    }
    return true;
  }

 private:
  static constexpr size_t kReleasesPerLook = 50;

  Releases::const_iterator first(const Releases& releases) const {
    return newest_of(releases,
                     model_ ? releases.lower_bound({*model_, Version{}}) : releases.begin());
  }

  std::optional<ModelName> model_;
  std::optional<ReleaseId> last_;
  engine::UseQuestion use_;
  bool counted_ = false;
  PageRoom room_;
};

}  // namespace

void get_release(const CallPtr<v1::GetReleaseRequest, v1::GetReleaseResponse>& call) {
  Result<ReleaseId> id = release_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  answer_by_parts(
      call,
      [id = *id, use = engine::UseQuestion(id->model)](const engine::Engine& engine,
                                                       auto& c) mutable -> Result<bool> {
        const engine::State& state = engine.state();
        if (Status known = engine::expect_release(state, id); !known) return known.error();
        if (!use.look(state)) return false;
        fill(*c.response.mutable_release(), state.catalogue.releases.at(id));
        c.response.mutable_release()->set_devices_confirmed(use.devices(id));
        c.response.mutable_release()->set_withheld(engine::withheld(state.catalogue, id));
        return true;
      });
}

void delete_release(const CallPtr<v1::DeleteReleaseRequest, v1::DeleteReleaseResponse>& call) {
  Result<ReleaseId> id = release_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  execute_only(call, engine::DeleteRelease{*id}, [](const engine::CommandReply&, auto&) {});
}

void list_releases(const CallPtr<v1::ListReleasesRequest, v1::ListReleasesResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<std::string> token = read_page_token("releases", call->request.page_token());
  if (!token) return call->finish(token.error());
  std::optional<ModelName> model;
  const std::string& parent = call->request.parent();
  if (!parent.empty() && parent != "models/-") {
    Result<ModelName> name = model_name(parent, "parent");
    if (!name) return call->finish(name.error());
    model = *std::move(name);
  }
  std::optional<ReleaseId> last;
  if (!token->empty()) {
    Result<ReleaseId> id = release_name(*token, "page_token");
    if (!id) return call->finish(id.error());
    last = *std::move(id);
  }
  answer_by_parts(call, ReleasePage(*size, std::move(model), std::move(last)));
}

}  // namespace covey::api
