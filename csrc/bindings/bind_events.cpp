#include <pybind11/pybind11.h>

namespace lampyris {
void bind_events(pybind11::module_&) {}
}  // namespace lampyris
