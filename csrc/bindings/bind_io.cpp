#include <pybind11/pybind11.h>

namespace lampyris {
void bind_io(pybind11::module_&) {}
}  // namespace lampyris
