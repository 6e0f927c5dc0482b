#include "events/event_block.h"

#include "core/error.h"

namespace lampyris {

void fail_event(const char* name, int64_t index, const TimedEvent& e, int64_t earliest,
                const EventWindow& window) {
  if (e.t < earliest || e.t >= window.end_us) {
    fail("event file: {}: event times must not decrease, got {} us at event {} after {} us", name,
         e.t, index, earliest);
  }
  fail("event file: {}: event {} must lie within {} x {} pixels, got y {}, x {}", name, index,
       window.height, window.width, e.y, e.x);
}

}  // namespace lampyris
