// Ranges on several threads for torch-free code: a pool of std::thread, no OpenMP (torch brings its
// own). The number of threads comes from set_threads(), else LAMPYRIS_THREADS, else the processors
// this process may use.
#pragma once

#include <cstdint>
#include <functional>

namespace lampyris {

// Calls range(b, e) on pieces that cover [begin, end) once, each at least `grain` long but the
// last. Returns when all are done. The first exception is rethrown; pieces not yet started are
// dropped. A call from inside a range, or while another thread uses the pool, runs in the calling
// thread.
void parallel(int64_t begin, int64_t end, int64_t grain,
              const std::function<void(int64_t, int64_t)>& range);

int threads();

// count >= 1, else std::invalid_argument.
void set_threads(int count);

}  // namespace lampyris
