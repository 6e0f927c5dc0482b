// lampyris._native.events: representations of windows, columns and the codec of cached frames.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "bindings/event_arrays.h"
#include "core/error.h"
#include "events/block_readers.h"
#include "events/evt_file.h"
#include "events/frames.h"
#include "events/mask_codec.h"

namespace py = pybind11;

namespace lampyris {

namespace {

template <class T>
using Column = py::array_t<T, py::array::c_style>;

Representation representation_of(const std::string& name) {
  if (name == "counts" || name == "histogram") return Representation::kCounts;
  if (name == "polarity") return Representation::kPolarity;
  if (name == "surface") return Representation::kSurface;
  if (name == "voxel") return Representation::kVoxel;
  fail(
      "bin_events: representation must be counts, histogram, polarity, surface or voxel, "
      "got \"{}\"",
      name);
}

// `make(window)` gives a reader of that window.
template <class MakeReader>
py::array_t<uint8_t> render(const FrameRequest& request, const MakeReader& make) {
  const auto& [end_us, bin_us, time_steps, height, width, kind, parts, cutoff, tau_us] = request;
  const BinWindow window{end_us, bin_us, time_steps, height, width};
  const FrameOptions options{representation_of(kind), parts, cutoff, tau_us};
  check_frames(window, options);
  py::array_t<uint8_t> frames({time_steps, frame_channels(options), height, width});
  uint8_t* out = frames.mutable_data();
  py::gil_scoped_release release;
  auto reader = make(event_window(window));
  render_frames(reader, window, options, out);
  return frames;
}

py::array_t<uint8_t> frames_of(const Column<int64_t>& t, const Column<uint16_t>& x,
                               const Column<uint16_t>& y, const Column<uint8_t>& polarity,
                               const FrameRequest& request, const std::string& name) {
  if (t.ndim() != 1 || x.size() != t.size() || y.size() != t.size() ||
      polarity.size() != t.size()) {
    fail("bin_events: t, x, y, polarity must have one length, got {}, {}, {}, {}", t.size(),
         x.size(), y.size(), polarity.size());
  }
  const EventColumns events{t.data(), x.data(), y.data(), polarity.data(), t.size()};
  return render(request,
                [&](const EventWindow& window) { return ColumnReader(events, window, name); });
}

std::span<const uint8_t> bytes_of(const Column<uint8_t>& array) {
  return {array.data(), static_cast<size_t>(array.size())};
}

py::array_t<uint8_t> encode(const Column<uint8_t>& raw, uint8_t background) {
  std::vector<uint8_t> coded;
  {
    const auto bytes = bytes_of(raw);
    py::gil_scoped_release release;
    coded = encode_masked(bytes, background);
  }
  return py::array_t<uint8_t>(static_cast<py::ssize_t>(coded.size()), coded.data());
}

void decode(const Column<uint8_t>& coded, uint8_t background, Column<uint8_t>& raw) {
  const std::span<uint8_t> target(raw.mutable_data(), static_cast<size_t>(raw.size()));
  const auto bytes = bytes_of(coded);
  py::gil_scoped_release release;
  decode_masked(bytes, background, target);
}

py::tuple read_raw(const EvtFile& file, int64_t first, int64_t last) {
  const EvtView& view = file.view();
  const int64_t size = view.index().size;
  if (first < 0 || last < first || last > size) {
    fail_range("event file: {}: range must lie within 0..{}, got {}..{}", view.name(), size, first,
               last);
  }
  std::vector<TimedEvent> events;
  {
    py::gil_scoped_release release;
    events = view.read(first, last);
  }
  const auto n = static_cast<py::ssize_t>(events.size());
  py::array_t<int64_t> t(n);
  py::array_t<uint16_t> x(n), y(n);
  py::array_t<uint8_t> polarity(n);
  for (py::ssize_t i = 0; i < n; ++i) {
    const TimedEvent& e = events[static_cast<size_t>(i)];
    t.mutable_data()[i] = e.t;
    x.mutable_data()[i] = e.x;
    y.mutable_data()[i] = e.y;
    polarity.mutable_data()[i] = e.polarity;
  }
  return py::make_tuple(t, x, y, polarity);
}

}  // namespace

py::array_t<uint8_t> render_dat(const DatFile& file, const FrameRequest& request) {
  return render(request,
                [&](const EventWindow& window) { return DatReader(file.view(), window); });
}

void bind_event_frames(py::module_& m) {
  py::class_<EvtFile>(m, "EvtFile")
      .def(py::init<const std::string&>(), py::arg("path"))
      .def("__len__", [](const EvtFile& f) { return f.view().index().size; })
      .def_property_readonly("width", [](const EvtFile& f) { return f.view().header().width; })
      .def_property_readonly("height", [](const EvtFile& f) { return f.view().header().height; })
      .def_property_readonly("version", [](const EvtFile& f) { return f.view().header().version; })
      .def_property_readonly("skipped", [](const EvtFile& f) { return f.view().index().skipped; })
      .def(
          "lower_bound", [](const EvtFile& f, int64_t t) { return f.view().lower_bound(t); },
          py::arg("t"), py::call_guard<py::gil_scoped_release>())
      .def("read", &read_raw, py::arg("first"), py::arg("last"))
      .def(
          "frames",
          [](const EvtFile& f, const FrameRequest& request) {
            return render(request,
                          [&](const EventWindow& window) { return EvtReader(f.view(), window); });
          },
          py::arg("request"))
      .def(
          "check",
          [](const EvtFile& f, int64_t height, int64_t width) {
            return f.view().check(height, width);
          },
          py::arg("height"), py::arg("width"), py::call_guard<py::gil_scoped_release>());
  m.def("frames", &frames_of, py::arg("t"), py::arg("x"), py::arg("y"), py::arg("polarity"),
        py::arg("request"), py::arg("name"));
  m.def("encode_masked", &encode, py::arg("raw"), py::arg("background"));
  m.def("decode_masked", &decode, py::arg("coded").noconvert(), py::arg("background"),
        py::arg("raw").noconvert());
}

}  // namespace lampyris
