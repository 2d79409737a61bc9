// SPDX-License-Identifier: Apache-2.0
// How the engine reads what a device sent as a report: it knows no wire; gateway/codec does. Read
// only after the report's mac was found good, into a message that is used again and again, so that
// nothing is allocated once its vectors have their sizes. Engine thread.
#pragma once

#include "core/digest.hpp"
#include "core/result.hpp"
#include "gateway/engine/messages.hpp"

namespace covey::engine {

class ReportReader {
 public:
  virtual ~ReportReader() = default;
  // Replaces all of `into`; after an error its content is undefined. Errors: the codec's.
  virtual Status read(ByteView payload, ReportMessage& into) = 0;
};

}  // namespace covey::engine
