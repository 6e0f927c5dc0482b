// Device, driver and results. Any Python object with read32, write32 and memory is a port.
#include <memory>

#include "bindings/firefly_arrays.h"
#include "firefly/device.h"
#include "firefly/driver.h"

namespace lampyris {

namespace {

using namespace firefly;

// A board (or a stand-in) written in Python. Calls take the GIL.
class PythonPort : public Port {
 public:
  explicit PythonPort(py::object object) : object_(std::move(object)) { view_memory(); }
  ~PythonPort() override {
    py::gil_scoped_acquire gil;
    release_memory();
    object_ = py::object();
  }
  PythonPort(const PythonPort&) = delete;
  PythonPort& operator=(const PythonPort&) = delete;

  uint32_t read32(uint32_t offset) override {
    py::gil_scoped_acquire gil;
    return object_.attr("read32")(offset).cast<uint32_t>();
  }
  void write32(uint32_t offset, uint32_t value) override {
    py::gil_scoped_acquire gil;
    object_.attr("write32")(offset, value);
  }
  std::span<uint8_t> memory() override {
    return {static_cast<uint8_t*>(buffer_.buf), static_cast<size_t>(buffer_.len)};
  }
  uint32_t base_address() override {
    py::gil_scoped_acquire gil;
    if (!py::hasattr(object_, "base_address")) return 0;
    return object_.attr("base_address").cast<uint32_t>();
  }
  void reserve(uint64_t bytes) override {
    py::gil_scoped_acquire gil;
    if (py::hasattr(object_, "reserve")) {
      release_memory();
      object_.attr("reserve")(bytes);
      view_memory();
    }
  }

 private:
  void view_memory() {
    py::object memory = object_.attr("memory");
    if (PyObject_GetBuffer(memory.ptr(), &buffer_, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) != 0)
      throw py::error_already_set();
  }
  void release_memory() {
    if (buffer_.obj) PyBuffer_Release(&buffer_);
  }
  py::object object_;
  Py_buffer buffer_{};
};

// Owns what a C++ driver points to.
class PythonDriver {
 public:
  PythonDriver(const py::object& port, bool results_only) : object_(port) {
    if (py::isinstance<Device>(port)) {
      port_ = port.cast<Device*>();
    } else if (py::isinstance<CorePort>(port)) {
      port_ = port.cast<CorePort*>();
    } else {
      own_ = std::make_unique<PythonPort>(port);
      port_ = own_.get();
    }
    driver_ = std::make_unique<Driver>(*port_, results_only ? Keep::kResults : Keep::kStored);
  }

  void load(std::shared_ptr<LoadedImage> image) {
    image_ = std::move(image);
    driver_->load(*image_);
  }

  Result run(const py::array& inputs) {
    Frame frame;
    for (py::ssize_t i = 0; i < inputs.ndim(); ++i) frame.shape.push_back(inputs.shape(i));
    if (py::isinstance<Array<uint8_t>>(inputs)) {
      frame.pixels = view(inputs.cast<Array<uint8_t>>());
    } else if (py::isinstance<Array<bool>>(inputs)) {
      frame.spikes = {static_cast<const uint8_t*>(inputs.data()),
                      static_cast<size_t>(inputs.size())};
    } else if (py::isinstance<Array<int16_t>>(inputs)) {
      frame.currents = view(inputs.cast<Array<int16_t>>());
    } else {
      fail("driver: inputs must be a contiguous uint8, bool or int16 array, got {}",
           py::str(inputs.dtype()).cast<std::string>());
    }
    py::gil_scoped_release release;
    return driver_->run(frame);
  }

 private:
  py::object object_;
  std::unique_ptr<Port> own_;
  Port* port_ = nullptr;
  std::unique_ptr<Driver> driver_;
  std::shared_ptr<LoadedImage> image_;
};

template <class T, class Out = T>
py::array decode(const StoredMap& map) {
  py::array_t<Out> out({map.steps, map.channels, map.height, map.width});
  map.decode(reinterpret_cast<T*>(out.mutable_data()));
  return out;
}

template <class T>
std::vector<std::string> keys(const Keyed<T>& keyed) {
  std::vector<std::string> names;
  for (const auto& [name, value] : keyed.items()) names.push_back(name);
  return names;
}

const StoredMap& stored(const Keyed<StoredMap>& maps, const std::string& key) {
  const StoredMap* map = maps.find(key);
  if (!map) throw py::key_error(key);
  return *map;
}

}  // namespace

void bind_firefly_device(py::module_& m) {
  py::class_<Device>(m, "Device")
      .def(py::init([](int parallelism, const std::string& preset, const std::string& datapath,
                       bool trace, uint64_t memory_bytes, bool strict, int cores,
                       const std::string& config) {
             DeviceOptions options{parallelism, preset, datapath, trace, memory_bytes, strict,
                                   cores, {}};
             if (!config.empty()) options.config = config_from_json(config);
             return Device(options);
           }),
           py::arg("parallelism"), py::arg("preset"), py::arg("datapath"), py::arg("trace"),
           py::arg("memory_bytes"), py::arg("strict"), py::arg("cores"), py::arg("config"))
      .def("read32", &Device::read32, py::call_guard<py::gil_scoped_release>())
      .def("write32", &Device::write32)
      .def("reset", &Device::reset)
      .def("interrupt", &Device::interrupt)
      .def("transfers",
           [](const Device& self) {
             py::list all;
             for (const Transfer& t : self.transfers()) {
               const MoverWord word = encode_transfer(t);
               all.append(py::make_tuple(
                   mover_name(t.mover), t.address, t.bytes,
                   py::bytes(reinterpret_cast<const char*>(word.data()), word.size())));
             }
             return all;
           })
      .def_property_readonly("memory", [](py::object self) {
        const std::span<uint8_t> memory = self.cast<Device&>().memory();
        return py::array_t<uint8_t>(static_cast<py::ssize_t>(memory.size()), memory.data(), self);
      });
  py::class_<CorePort>(m, "CorePort")
      .def(py::init<Device&, int>(), py::arg("device"), py::arg("core"), py::keep_alive<1, 2>())
      .def("read32", &CorePort::read32, py::call_guard<py::gil_scoped_release>())
      .def("write32", &CorePort::write32)
      .def_property_readonly("base_address", &CorePort::base_address)
      .def_property_readonly("memory", [](py::object self) {
        const std::span<uint8_t> memory = self.cast<CorePort&>().memory();
        return py::array_t<uint8_t>(static_cast<py::ssize_t>(memory.size()), memory.data(), self);
      });
  py::class_<LoadedImage, std::shared_ptr<LoadedImage>>(m, "LoadedImage")
      .def(py::init([](const std::string& plan_json, const std::vector<TensorTuple>& tensors) {
        return std::make_shared<LoadedImage>(to_image(plan_json, tensors));
      }));
  py::class_<PythonDriver>(m, "Driver")
      .def(py::init<const py::object&, bool>(), py::arg("port"), py::arg("results_only"))
      .def("load", &PythonDriver::load)
      .def("run", &PythonDriver::run);
  py::class_<Result>(m, "Result")
      .def("keys",
           [](const Result& r, const std::string& kind) {
             if (kind == "spikes") return keys(r.spikes);
             if (kind == "streams") return keys(r.streams);
             if (kind == "membranes") return keys(r.membranes);
             return keys(r.outputs);
           })
      .def("decode",
           [](const Result& r, const std::string& kind, const std::string& key) -> py::array {
             if (kind == "spikes") return decode<uint8_t, bool>(stored(r.spikes, key));
             if (kind == "streams") return decode<int16_t>(stored(r.streams, key));
             if (kind == "membranes") return decode<int32_t>(stored(r.membranes, key));
             return decode<int32_t>(stored(r.outputs, key));
           })
      .def("clamped", [](const Result& r) { return r.clamped.items(); })
      .def("saturated", [](const Result& r) { return r.saturated.items(); })
      .def_readonly("cycles", &Result::cycles)
      .def_readonly("layer_cycles", &Result::layer_cycles)
      .def_readonly("layer_spikes", &Result::layer_spikes)
      .def_readonly("layer_membranes", &Result::layer_membranes)
      .def_readonly("predicted", &Result::predicted);
}

}  // namespace lampyris
