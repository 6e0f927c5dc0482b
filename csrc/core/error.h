// Errors of the torch-free code: one formatted line that names what, where and what was expected.
// std::invalid_argument becomes ValueError in Python, std::out_of_range IndexError.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace lampyris {

namespace detail {
// fmt 9 and later convert a format_string to their string_view.
inline std::string_view view(fmt::string_view format) { return {format.data(), format.size()}; }

[[noreturn]] void throw_invalid_argument(std::string_view format, fmt::format_args args);
[[noreturn]] void throw_out_of_range(std::string_view format, fmt::format_args args);
}  // namespace detail

// Throws std::invalid_argument.
template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  detail::throw_invalid_argument(detail::view(format),
                                 fmt::make_format_args(args...));
}

// Throws std::out_of_range.
template <typename... Args>
[[noreturn]] void fail_range(fmt::format_string<Args...> format, Args&&... args) {
  detail::throw_out_of_range(detail::view(format),
                             fmt::make_format_args(args...));
}

// fmt::format through one non-template function, so that units that include this header stay
// cheap and no libfmt is needed at run time.
std::string format_text(std::string_view format, fmt::format_args args);

template <typename... Args>
std::string text(fmt::format_string<Args...> format, Args&&... args) {
  return format_text(detail::view(format), fmt::make_format_args(args...));
}

}  // namespace lampyris
