// The passes of mincut_pool on 16 floats at a time.
#if defined(__x86_64__)
#define LAMPYRIS_WIDE 512
#include "ops/mincut_pool/mincut_pool_wide.h"

namespace lampyris {

LAMPYRIS_MINCUT_DEFINE(float, _avx512)

}  // namespace lampyris
#endif
