// The operators of an installed Lampyris for a C++ program on libtorch.
#pragma once

#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace lampyris {

// Registers the operators of `path` (the package's _ops.so) with torch's dispatcher, for good.
inline void load_operators(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw std::runtime_error("load_operators: path must name _ops.so, got " +
                             std::string(dlerror()));
  }
}

// The main() of an example: run(arguments) with at least `least` of them after the program's name;
// else, or when it throws, one line on stderr.
template <typename Run>
int run_main(int argc, char** argv, size_t least, const char* usage, const Run& run) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() < least + 1) {
    std::fprintf(stderr, "usage: %s\n", usage);
    return 2;
  }
  try {
    run(arguments);
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "%s\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace lampyris
