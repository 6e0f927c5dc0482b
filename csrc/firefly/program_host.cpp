// The parts of a program that the host runs: stem and read-out.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "firefly/host.h"
#include "firefly/program.h"

namespace lampyris::firefly {

void Program::host_stem(const StemSpec& spec) {
  const Map* found = input_ >= 0 ? &maps_[static_cast<size_t>(input_)] : nullptr;
  if (!found || found->name != spec.name || found->kind != Kind::kStream)
    fail("{}: host stem must give the program's input stream, got another name", spec.name);
  HostStem stem = make_stem(spec, steps_);
  const auto [height, width] = stem_output_size(stem);
  if (stem.out_channels != found->channels || height != found->height || width != found->width ||
      stem.in_steps != found->steps)
    fail("{}: host stem must give [{}, {}, {}, {}], got [{}, {}, {}, {}]", spec.name, found->steps,
         found->channels, found->height, found->width, stem.in_steps, stem.out_channels, height,
         width);
  stem_ = stem;
  stem_weight_.assign(spec.weight.values.begin(), spec.weight.values.end());
  stem_bias_.assign(spec.bias.begin(), spec.bias.end());
}

void Program::host_output(const std::string& name, std::vector<double> step,
                          std::vector<std::string> class_names) {
  const auto id = names_.find(name);
  if (id == names_.end() || maps_[static_cast<size_t>(id->second)].kind != Kind::kInt32)
    fail("host_output: name must be an int32 map of this program, got \"{}\"", name);
  const Map& map = maps_[static_cast<size_t>(id->second)];
  if (step.size() != static_cast<size_t>(map.channels))
    fail("{}: step must have shape [{}], got [{}]", name, map.channels, step.size());
  for (size_t c = 0; c < step.size(); ++c)
    if (!(std::isfinite(step[c]) && step[c] > 0))
      fail("{}: step must be finite and above 0, got {} at [{}]", name, step[c], c);
  if ((output_ && output_->name == name) ||
      std::any_of(further_outputs_.begin(), further_outputs_.end(),
                  [&](const HostOutput& o) { return o.name == name; }))
    fail("host_output: name must be given once, got \"{}\" again", name);
  HostOutput output;
  output.name = name;
  output.step = std::move(step);
  output.class_names = std::move(class_names);
  if (output_)
    further_outputs_.push_back(std::move(output));
  else
    output_ = std::move(output);
}

}  // namespace lampyris::firefly
