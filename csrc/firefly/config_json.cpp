#include <nlohmann/json.hpp>

#include "core/error.h"
#include "firefly/config.h"

namespace lampyris::firefly {

namespace {

using Json = nlohmann::ordered_json;

struct IntMember {
  const char* name;
  int Config::* member;
};
struct RealMember {
  const char* name;
  double Config::* member;
};

constexpr IntMember kInts[] = {{"parallelism", &Config::parallelism},
                               {"cores", &Config::cores},
                               {"line_depth", &Config::line_depth},
                               {"bias_depth", &Config::bias_depth},
                               {"weight_depth", &Config::weight_depth},
                               {"psum_depth", &Config::psum_depth},
                               {"array_fifo", &Config::array_fifo},
                               {"output_fifo", &Config::output_fifo},
                               {"weight_bus_bytes", &Config::weight_bus_bytes},
                               {"spike_bus_bytes", &Config::spike_bus_bytes},
                               {"stream_bus_bytes", &Config::stream_bus_bytes},
                               {"burst_beats", &Config::burst_beats},
                               {"transfer_bits", &Config::transfer_bits},
                               {"output_transfer_bits", &Config::output_transfer_bits}};
constexpr RealMember kReals[] = {{"clock_hz", &Config::clock_hz},
                                 {"ddr_bytes_per_cycle", &Config::ddr_bytes_per_cycle},
                                 {"watts", &Config::watts}};

bool is_int(const Json& value) {
  return value.is_number_integer() && value >= INT32_MIN && value <= INT32_MAX;
}

std::string member_names() {
  std::string all = "preset, datapath, reload";
  for (const IntMember& m : kInts) all += std::string(", ") + m.name;
  for (const RealMember& m : kReals) all += std::string(", ") + m.name;
  return all;
}

void set_member(Config& config, const std::string& name, const Json& value) {
  if (name == "datapath" || name == "reload") {
    if (!value.is_string()) fail("config: {} must be a word, got {}", name, value.dump());
    const std::string word = value.get<std::string>();
    if (name == "datapath") {
      config.datapath = parse_datapath("config", word);
    } else {
      if (word != "bubble" && word != "skid")
        fail("config: reload must be bubble or skid, got \"{}\"", word);
      config.reload = word == "skid" ? Reload::kSkid : Reload::kBubble;
    }
    return;
  }
  for (const IntMember& m : kInts) {
    if (name != m.name) continue;
    if (!is_int(value)) fail("config: {} must be an integer, got {}", name, value.dump());
    config.*m.member = value.get<int>();
    return;
  }
  for (const RealMember& m : kReals) {
    if (name != m.name) continue;
    if (!value.is_number()) fail("config: {} must be a number, got {}", name, value.dump());
    config.*m.member = value.get<double>();
    return;
  }
  fail("config: members must be among {}, got \"{}\"", member_names(), name);
}

}  // namespace

Config config_from_json(std::string_view source) {
  const Json json = Json::parse(source, nullptr, false);
  if (!json.is_object())
    fail("config: text must be a JSON object, got \"{}\"", source.substr(0, 40));
  const auto preset = json.find("preset");
  if (preset == json.end() || !preset->is_string())
    fail("config: preset must be ultra96, zcu104 or kv260, got {}",
         preset == json.end() ? "none" : preset->dump());
  const auto p = json.find("parallelism");
  if (p != json.end() && !is_int(*p))
    fail("config: parallelism must be an integer, got {}", p->dump());
  Config config = preset_config(preset->get<std::string>(), p == json.end() ? 0 : p->get<int>());
  for (const auto& [name, value] : json.items())
    if (name != "preset") set_member(config, name, value);
  check_config(config);
  return config;
}

std::string config_to_json(const Config& config) {
  Json json;
  json["preset"] = config.preset;
  json["datapath"] = datapath_name(config.datapath);
  json["reload"] = config.reload == Reload::kBubble ? "bubble" : "skid";
  for (const IntMember& m : kInts) json[m.name] = config.*m.member;
  for (const RealMember& m : kReals) json[m.name] = config.*m.member;
  return json.dump(1);
}

}  // namespace lampyris::firefly
