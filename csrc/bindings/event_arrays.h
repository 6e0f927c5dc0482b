// What the event bindings share.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <tuple>

#include "events/dat_file.h"

namespace lampyris {

// end_us, bin_us, time_steps, height, width, representation, parts, cutoff, tau_us.
using FrameRequest = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, std::string, int64_t,
                                int64_t, double>;

pybind11::array_t<uint8_t> render_dat(const DatFile& file, const FrameRequest& request);

void bind_event_frames(pybind11::module_& m);

}  // namespace lampyris
