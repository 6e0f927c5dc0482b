// The plan's JSON form. Each record lists its members once; a writer and a reader visit them.
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "firefly/plan.h"
#include "io/canonical_json.h"

namespace lampyris::firefly {

namespace {

using nlohmann::json;

std::string hex_float(double value) {
  char buffer[40];
  std::snprintf(buffer, sizeof(buffer), "%a", value);
  return buffer;
}

template <class Visitor>
void visit(Visitor& v, PlanMap& m);
template <class Visitor>
void visit(Visitor& v, PlanBand& b);
template <class Visitor>
void visit(Visitor& v, Bounds& b);
template <class Visitor>
void visit(Visitor& v, PlanLayer& l);
template <class Visitor>
void visit(Visitor& v, HostStem& s);
template <class Visitor>
void visit(Visitor& v, HostOutput& o);

class Writer {
 public:
  json object = json::object();

  template <class T>
  void operator()(const char* key, T& value) {
    object[key] = put(value);
  }
  template <class T>
  void optional(const char* key, std::optional<T>& value) {
    if (value) object[key] = put(*value);
  }
  template <class T>
  void optional(const char* key, std::vector<T>& values) {
    if (!values.empty()) object[key] = put(values);
  }

 private:
  static json put(std::string& s) { return s; }
  static json put(bool b) { return b; }
  static json put(double d) { return hex_float(d); }
  static json put(Kind k) { return std::string(kind_name(k)); }
  static json put(Leak l) { return std::string(leak_name(l)); }
  static json put(std::map<std::string, std::string>& m) { return m; }
  template <class T>
  static json put(std::vector<T>& values) {
    json array = json::array();
    for (auto& value : values) array.push_back(put(value));
    return array;
  }
  template <class T>
  static json put(T& value) {
    if constexpr (std::is_integral_v<T>) {
      return value;
    } else {
      Writer inner;
      visit(inner, value);
      return inner.object;
    }
  }
};

[[noreturn]] void wrong(const std::string& where, const char* expected) {
  fail("weight image: plan: {} must be {}", where, expected);
}

class Reader {
 public:
  Reader(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) wrong(where_, "an object");
  }

  template <class T>
  void operator()(const char* key, T& value) {
    const std::string name = where_ + "." + key;
    const auto found = object_.find(key);
    if (found == object_.end()) wrong(name, "present");
    get(*found, value, name);
  }
  template <class T>
  void optional(const char* key, std::optional<T>& value) {
    if (object_.contains(key)) (*this)(key, value.emplace());
  }
  template <class T>
  void optional(const char* key, std::vector<T>& values) {
    if (!object_.contains(key)) return;
    (*this)(key, values);
    if (values.empty()) wrong(where_ + "." + key, "left out or have entries");
  }

 private:
  static void get(const json& j, std::string& s, const std::string& name) {
    if (!j.is_string()) wrong(name, "text");
    s = j.get<std::string>();
  }
  static void get(const json& j, bool& b, const std::string& name) {
    if (!j.is_boolean()) wrong(name, "true or false");
    b = j.get<bool>();
  }
  static void get(const json& j, double& d, const std::string& name) {
    std::string s;
    get(j, s, name);
    char* end = nullptr;
    d = std::strtod(s.c_str(), &end);
    if (s.empty() || *end != 0 || hex_float(d) != s) wrong(name, "a hexadecimal float");
  }
  static void get(const json& j, Kind& k, const std::string& name) {
    std::string s;
    get(j, s, name);
    for (Kind kind : {Kind::kSpikes, Kind::kStream, Kind::kInt32})
      if (s == kind_name(kind)) return void(k = kind);
    wrong(name, "spikes, stream or int32");
  }
  static void get(const json& j, Leak& l, const std::string& name) {
    std::string s;
    get(j, s, name);
    l = parse_leak("weight image: plan", s);
  }
  static void get(const json& j, std::map<std::string, std::string>& m, const std::string& name) {
    if (!j.is_object()) wrong(name, "an object");
    for (const auto& [key, value] : j.items()) get(value, m[key], name + "." + key);
  }
  template <class T>
  static void get(const json& j, std::vector<T>& values, const std::string& name) {
    if (!j.is_array()) wrong(name, "an array");
    values.clear();
    for (size_t i = 0; i < j.size(); ++i) get(j[i], values.emplace_back(), text("{}[{}]", name, i));
  }
  template <class T>
  static void get(const json& j, T& value, const std::string& name) {
    if constexpr (std::is_integral_v<T>) {
      if (!j.is_number_integer()) wrong(name, "an integer");
      const int64_t wide = j.get<int64_t>();
      value = static_cast<T>(wide);
      if (static_cast<int64_t>(value) != wide || (std::is_unsigned_v<T> && wide < 0))
        wrong(name, "an integer in its field's range");
    } else {
      Reader inner(j, name);
      visit(inner, value);
    }
  }

  const json& object_;
  std::string where_;
};

template <class Visitor>
void visit(Visitor& v, PlanMap& m) {
  v("name", m.name), v("kind", m.kind);
  v("channels", m.channels), v("height", m.height), v("width", m.width), v("steps", m.steps);
  v("offset", m.offset), v("stride_t", m.stride_t), v("stride_c", m.stride_c);
  v("ready", m.ready), v("result", m.result);
}

template <class Visitor>
void visit(Visitor& v, PlanBand& b) {
  v("row0", b.row0), v("row1", b.row1), v("writes", b.writes);
}

template <class Visitor>
void visit(Visitor& v, Bounds& b) {
  v("tile_low", b.tile_low), v("tile_high", b.tile_high);
  v("sum_low", b.sum_low), v("sum_high", b.sum_high);
  v("membrane_low", b.membrane_low), v("membrane_high", b.membrane_high);
}

template <class Visitor>
void visit(Visitor& v, PlanLayer& l) {
  v("name", l.name), v("op", l.op), v("inputs", l.inputs), v("residual", l.residual);
  v("current", l.current), v("neuron", l.neuron);
  v("spikes", l.spikes), v("stream", l.stream), v("int32", l.int32);
  v("kernel", l.kernel), v("stride", l.stride), v("padding", l.padding), v("shift", l.shift);
  v("in_channels", l.in_channels), v("out_channels", l.out_channels);
  v("neuron_height", l.neuron_height), v("neuron_width", l.neuron_width);
  v("leak", l.leak), v("k", l.k), v("winner", l.winner), v("pool", l.pool);
  v("threshold", l.threshold), v("commands", l.commands);
  v.optional("bounds", l.bounds);
}

template <class Visitor>
void visit(Visitor& v, HostStem& s) {
  v("name", s.name);
  v("in_channels", s.in_channels), v("in_height", s.in_height), v("in_width", s.in_width);
  v("in_steps", s.in_steps), v("out_channels", s.out_channels);
  v("kernel_h", s.kernel_h), v("kernel_w", s.kernel_w);
  v("stride", s.stride), v("padding", s.padding), v("shift", s.shift), v("exponent", s.exponent);
  v("fires", s.fires), v("neuron", s.neuron), v("threshold", s.threshold), v("leak", s.leak);
}

template <class Visitor>
void visit(Visitor& v, HostOutput& o) {
  v("name", o.name), v("step", o.step), v("class_names", o.class_names);
  v("convolves", o.convolves), v("in_channels", o.in_channels);
  v("out_channels", o.out_channels), v("kernel", o.kernel), v("padding", o.padding);
}

struct Arena {
  uint64_t& bytes;
  std::vector<PlanMap>& maps;
};

template <class Visitor>
void visit(Visitor& v, Arena& a) {
  v("bytes", a.bytes), v("maps", a.maps);
}

template <class Visitor>
void visit(Visitor& v, Plan& p) {
  v("target", p.target), v("preset", p.preset);
  v("parallelism", p.parallelism), v("time_steps", p.steps);
  Arena arena{p.arena_bytes, p.maps};
  v("arena", arena);
  v("input", p.input), v("layers", p.layers);
  v.optional("host_stem", p.stem);
  v.optional("host_output", p.output);
  v.optional("further_outputs", p.further_outputs);
  v("classes", p.classes), v("notes", p.notes);
}

}  // namespace

std::string plan_to_json(const Plan& plan) {
  Writer writer;
  Plan copy = plan;
  visit(writer, copy);
  return dump_canonical_json(writer.object, "plan");
}

Plan plan_from_json(std::string_view text) {
  const json object = parse_json(text, "plan");
  Plan plan;
  Reader reader(object, "plan");
  visit(reader, plan);
  return plan;
}

}  // namespace lampyris::firefly
