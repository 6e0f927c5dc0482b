# Toolchain file: 64-bit ARM Linux (the processor of the Zynq UltraScale+ boards), with Debian's cross
# compiler. Header-only libraries come from this machine.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
find_program(LAMPYRIS_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
if(LAMPYRIS_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${LAMPYRIS_QEMU} -L /usr/aarch64-linux-gnu)
endif()
# fmt is used as headers only; its CMake package lies in the folder of this machine's processor.
file(GLOB fmt_packages /usr/lib/*/cmake/fmt /usr/lib/cmake/fmt)
if(fmt_packages)
  list(GET fmt_packages 0 fmt_DIR)
endif()
