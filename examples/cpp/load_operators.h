// The operators of an installed Lampyris for a C++ program on libtorch.
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace lampyris {

// Registers the operators of `path` (the package's _ops.so) with torch's dispatcher, for good.
inline void load_operators(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw std::runtime_error("load_operators: path must name _ops.so, got " +
                             std::string(dlerror()));
  }
}

}  // namespace lampyris
