// A run kept as files: spikes/NAME.npy (bool), streams/ (int16), membranes/ (int32), outputs/
// (int32), input.npy, all [T, C, H, W]. Characters outside [A-Za-z0-9._-] of a name are written as
// %XX.
#pragma once

#include <string>

#include "firefly/npy.h"
#include "firefly/result.h"
#include "firefly/trace_source.h"

namespace lampyris::firefly {

std::string trace_file(const std::string& folder, Quantity quantity, const std::string& name);

// Missing folders are made. Returns the number of files. Throws FileError.
int save_trace(const std::string& folder, const Result& result, const NpyArray& input);

class FolderTrace : public TraceSource {
 public:
  // Throws FileError where there is no such folder.
  explicit FolderTrace(std::string folder);
  // Throws std::invalid_argument, naming the file, for one that is not such an array.
  std::optional<TraceMap> find(Quantity quantity, const std::string& name) const override;

 private:
  std::string folder_;
};

}  // namespace lampyris::firefly
