// SPDX-License-Identifier: Apache-2.0
#include "gateway/codec/plan_codec.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "core/assert.hpp"

namespace covey {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;

// The API names its fields as the document does.
const FieldDescriptor* field_of(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  COVEY_ASSERT(field != nullptr);
  return field;
}

// Visits the fields of a document, and writes each into the field of that name.
class ToMessage {
 public:
  explicit ToMessage(Message& to) : to_(to) {}

  void operator()(const char* name, const std::string& value) {
    reflection().SetString(&to_, field_of(to_, name), value);
  }
  void operator()(const char* name, uint32_t value) {
    reflection().SetUInt32(&to_, field_of(to_, name), value);
  }
  void operator()(const char* name, const std::optional<uint32_t>& value) {
    if (value) (*this)(name, *value);
  }
  void operator()(const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      reflection().AddString(&to_, field_of(to_, name), value);
    }
  }
  template <typename Document>
  void operator()(const char* name, const std::vector<Document>& documents) {
    for (const Document& document : documents) {
      write(document, *reflection().AddMessage(&to_, field_of(to_, name)));
    }
  }
  template <typename Document>
  void operator()(const char* name, const std::optional<Document>& document) {
    if (document) write(*document, *reflection().MutableMessage(&to_, field_of(to_, name)));
  }
  template <typename Document>
  void operator()(const char* name, const Document& document) {
    if (document == Document{}) return;
    write(document, *reflection().MutableMessage(&to_, field_of(to_, name)));
  }

 private:
  template <typename Document>
  static void write(const Document& document, Message& to) {
    ToMessage writer(to);
    fields(writer, document);
  }
  const google::protobuf::Reflection& reflection() const { return *to_.GetReflection(); }

  Message& to_;
};

// Visits the fields of a document, and reads each from the field of that name. The first problem
// stays in `status`.
class FromMessage {
 public:
  FromMessage(const Message& from, std::string path, Status& status)
      : from_(from), path_(std::move(path)), status_(status) {}

  void operator()(const char* name, std::string& value) {
    value = reflection().GetString(from_, field_of(from_, name));
  }
  void operator()(const char* name, uint32_t& value) {
    value = reflection().GetUInt32(from_, field_of(from_, name));
  }
  void operator()(const char* name, std::optional<uint32_t>& value) {
    const FieldDescriptor* field = field_of(from_, name);
    if (reflection().HasField(from_, field)) value = reflection().GetUInt32(from_, field);
  }
  void operator()(const char* name, std::vector<std::string>& values) {
    const FieldDescriptor* field = field_of(from_, name);
    for (int i = 0; i < size_of(field, kEntriesMax<std::string>); ++i) {
      values.push_back(reflection().GetRepeatedString(from_, field, i));
    }
  }
  template <typename Document>
  void operator()(const char* name, std::vector<Document>& documents) {
    const FieldDescriptor* field = field_of(from_, name);
    for (int i = 0; i < size_of(field, kEntriesMax<Document>); ++i) {
      read(reflection().GetRepeatedMessage(from_, field, i),
           fmt::format("{}.{}[{}]", path_, name, i), documents.emplace_back());
    }
  }
  template <typename Document>
  void operator()(const char* name, std::optional<Document>& document) {
    const FieldDescriptor* field = field_of(from_, name);
    if (reflection().HasField(from_, field)) (*this)(name, document.emplace());
  }
  template <typename Document>
  void operator()(const char* name, Document& document) {
    read(reflection().GetMessage(from_, field_of(from_, name)), fmt::format("{}.{}", path_, name),
         document);
  }

 private:
  void fail(const std::string& path, const std::string& message) {
    if (status_) status_ = invalid("BAD_PLAN", fmt::format("{}: {}", path, message));
  }

  // 0, and a problem, where there is more than a plan may have.
  int size_of(const FieldDescriptor* field, size_t most) {
    const int size = reflection().FieldSize(from_, field);
    if (static_cast<size_t>(size) <= most) return size;
    fail(fmt::format("{}.{}", path_, field->name()), fmt::format("at most {}", most));
    return 0;
  }

  template <typename Document>
  void read(const Message& from, const std::string& path, Document& to) {
    const Descriptor& descriptor = *from.GetDescriptor();
    for (int i = 0; i < descriptor.real_oneof_decl_count(); ++i) {
      const OneofDescriptor& choice = *descriptor.oneof_decl(i);
      if (from.GetReflection()->HasOneof(from, &choice)) continue;
      std::string names;
      for (int n = 0; n < choice.field_count(); ++n) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", choice.field(n)->name());
      }
      fail(path, fmt::format("name a {}: one of {}", choice.name(), names));
    }
    FromMessage reader(from, path, status_);
    fields(reader, to);
  }

  const google::protobuf::Reflection& reflection() const { return *from_.GetReflection(); }

  const Message& from_;
  std::string path_;
  Status& status_;
};

}  // namespace

Result<PlanDocument> plan_from_proto(const v1::RolloutSpec& spec, const std::string& name) {
  PlanDocument document;
  document.name = name;
  Status status;
  FromMessage reader(spec, "spec", status);
  spec_fields(reader, document);
  if (!status) return status.error();
  return document;
}

v1::RolloutSpec plan_to_proto(const PlanDocument& document) {
  v1::RolloutSpec spec;
  ToMessage writer(spec);
  spec_fields(writer, document);
  return spec;
}

}  // namespace covey
