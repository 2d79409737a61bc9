// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/handlers.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/queries/existence.hpp"

namespace covey::api {

void get_release(const CallPtr<v1::GetReleaseRequest, v1::GetReleaseResponse>& call) {
  Result<ReleaseId> id = release_name(call->request.name(), "name");
  if (!id) return call->finish(id.error());
  answer(call, [id = *id](const engine::Engine& engine, auto& c) -> Status {
    if (Status known = engine::expect_release(engine.state(), id); !known) return known;
    fill(*c.response.mutable_release(), engine.state(), engine.state().catalogue.releases.at(id));
    return {};
  });
}

void list_releases(const CallPtr<v1::ListReleasesRequest, v1::ListReleasesResponse>& call) {
  const Result<size_t> size = page_size(call->request.page_size());
  if (!size) return call->finish(size.error());
  Result<std::string> after = read_page_token("releases", call->request.page_token());
  if (!after) return call->finish(after.error());
  std::optional<ModelName> model;
  const std::string& parent = call->request.parent();
  if (!parent.empty() && parent != "models/-") {
    Result<ModelName> name = model_name(parent, "parent");
    if (!name) return call->finish(name.error());
    model = *std::move(name);
  }
  std::optional<ReleaseId> before;
  if (!after->empty()) {
    Result<ReleaseId> id = release_name(*after, "page_token");
    if (!id) return call->finish(id.error());
    before = *std::move(id);
  }
  answer(call, [size = *size, model, before](const engine::Engine& engine, auto& c) -> Status {
    if (model) {
      if (Status known = engine::expect_model(engine.state(), *model); !known) return known;
    }
    // Models by name, versions of each newest first.
    std::vector<const ReleaseRecord*> releases;
    for (const auto& [id, release] : engine.state().catalogue.releases) {
      if (!model || id.model == *model) releases.push_back(&release);
    }
    std::sort(releases.begin(), releases.end(), [](const auto* a, const auto* b) {
      if (a->id.model != b->id.model) return a->id.model < b->id.model;
      return a->id.version > b->id.version;
    });
    const ReleaseRecord* last = nullptr;
    PageRoom room(size);
    for (const ReleaseRecord* release : releases) {
      const bool seen =
          before && (release->id.model < before->model || (release->id.model == before->model &&
                                                           release->id.version >= before->version));
      if (seen) continue;
      if (!room.has_room()) {
        c.response.set_next_page_token(page_token("releases", to_string(last->id)));
        break;
      }
      fill(*c.response.add_releases(), engine.state(), *release);
      room.take(*c.response.releases().rbegin());
      last = release;
    }
    return {};
  });
}

}  // namespace covey::api
