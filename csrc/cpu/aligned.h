// Memory for vectors of a cache line, not initialised.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

namespace lampyris {

inline constexpr std::align_val_t kLineAlignment{64};

// Grows, never shrinks; contents are lost when it grows.
template <typename T>
class Aligned {
 public:
  T* reserve(int64_t count) {
    if (count > capacity_) {
      data_.reset();
      data_.reset(static_cast<T*>(
          ::operator new(static_cast<size_t>(count) * sizeof(T), kLineAlignment)));
      capacity_ = count;
    }
    return data_.get();
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  struct Release {
    void operator()(T* data) const { ::operator delete(data, kLineAlignment); }
  };
  std::unique_ptr<T, Release> data_;
  int64_t capacity_ = 0;
};

}  // namespace lampyris
