#include "firefly-sim-arguments.h"

#include <charconv>
#include <string_view>

#include "core/error.h"

namespace lampyris::firefly::sim {

namespace {

constexpr double kLongestPeriod = 86400;

struct Option {
  std::string_view name, wants;
  std::string Arguments::*value;
};

constexpr Option kOptions[] = {
    {"--preset", "a board", &Arguments::preset},
    {"--config", "a JSON file", &Arguments::config},
    {"--datapath", "functional, cascade or tree", &Arguments::datapath},
    {"--out", "a folder", &Arguments::out},
    {"--trace", "LAYER:TILE:T", &Arguments::trace},
    {"--vcd", "a file", &Arguments::vcd},
    {"--compare", "a folder", &Arguments::compare},
    {"--progress", "seconds", &Arguments::progress},
};

}  // namespace

const char* usage() {
  return "usage: firefly-sim IMAGE [INPUT.npy] [options]\n"
         "  INPUT  uint8 [C, H, W] or [T, C, H, W] with a host stem, else bool spikes or int16 "
         "currents;\n"
         "         without it a fixed pseudo-random frame is used\n"
         "  --preset ultra96|zcu104|kv260    board whose cycles are counted (default: the image's)\n"
         "  --config FILE       sizes of the accelerator as JSON, instead of a preset\n"
         "  --datapath functional|cascade|tree   what computes (default: functional)\n"
         "  --out FOLDER        write spikes, streams, membranes and outputs as .npy files\n"
         "  --trace LAYER:TILE:T   write a wave of that layer (number or name), output tile and step\n"
         "  --vcd FILE          where to (default: trace.vcd)\n"
         "  --compare FOLDER    compare with a run kept by --out; names the first difference\n"
         "  --json              print one JSON object instead of tables\n"
         "  --progress SECONDS  how often a long run tells where it is (default: 2); 0 is never\n"
         "  --strict            refuse an image whose check words had to correct it\n"
         "exit status: 0 done, 1 an error, 2 wrong usage, 3 --compare found a difference\n";
}

Arguments parse_arguments(int count, char** words) {
  Arguments arguments;
  const auto wrong = [](const std::string& what) { throw UsageError("firefly-sim: error: " + what); };
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    if (word == "--help" || word == "-h") {
      arguments.help = true;
      return arguments;
    }
    if (word == "--json" || word == "--strict") {
      (word == "--json" ? arguments.json : arguments.strict) = true;
      continue;
    }
    if (!word.starts_with("-")) {
      if (!arguments.input.empty())
        wrong(text("arguments must be IMAGE and INPUT, got one more, {}", word));
      (arguments.image.empty() ? arguments.image : arguments.input) = word;
      continue;
    }
    std::string value;
    const size_t equals = word.find('=');
    const bool joined = equals != std::string::npos;
    if (joined) value = word.substr(equals + 1), word.resize(equals);
    const Option* found = nullptr;
    for (const Option& option : kOptions)
      if (word == option.name) found = &option;
    if (!found) {
      std::string names;
      for (const Option& option : kOptions) names += std::string(option.name) + ", ";
      wrong(text("option must be one of {}--json, --strict or --help, got {}", names, word));
    }
    if (!joined && ++i == count)
      wrong(text("{} must be followed by {}, got nothing", word, found->wants));
    arguments.*found->value = joined ? value : words[i];
  }
  if (!arguments.preset.empty() && !arguments.config.empty())
    wrong("--preset and --config must not be given together");
  if (arguments.image.empty()) wrong("IMAGE must be given, got none");
  const std::string& seconds = arguments.progress;
  const auto [end, error] =
      std::from_chars(seconds.data(), seconds.data() + seconds.size(), arguments.period);
  if (error != std::errc() || end != seconds.data() + seconds.size() || !(arguments.period >= 0) ||
      arguments.period > kLongestPeriod)
    wrong(text("--progress must be followed by seconds, 0 to {}, got {}", kLongestPeriod, seconds));
  return arguments;
}

}  // namespace lampyris::firefly::sim
