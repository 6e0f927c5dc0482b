#define FMT_HEADER_ONLY
#include "core/error.h"

#include <fmt/format.h>

#include <stdexcept>

namespace lampyris {

std::string format_text(std::string_view format, fmt::format_args args) {
  return fmt::vformat({format.data(), format.size()}, args);
}

namespace detail {

void throw_invalid_argument(std::string_view format, fmt::format_args args) {
  throw std::invalid_argument(format_text(format, args));
}

void throw_out_of_range(std::string_view format, fmt::format_args args) {
  throw std::out_of_range(format_text(format, args));
}

}  // namespace detail
}  // namespace lampyris
