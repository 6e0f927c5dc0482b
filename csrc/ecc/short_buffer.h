// A few values of a size known at run time: within the object up to N, else on the heap.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace lampyris::ecc {

template <class T, size_t N>
class ShortBuffer {
 public:
  ShortBuffer() = default;
  explicit ShortBuffer(size_t size) : size_(size) {
    if (size > N) heap_.resize(size);
  }
  size_t size() const { return size_; }
  T* data() { return size_ > N ? heap_.data() : inside_.data(); }
  const T* data() const { return size_ > N ? heap_.data() : inside_.data(); }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }

 private:
  size_t size_ = 0;
  std::array<T, N> inside_{};
  std::vector<T> heap_;
};

}  // namespace lampyris::ecc
