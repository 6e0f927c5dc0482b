# torch located without importing it: an imported target for the stable ABI, nothing of ATen.
execute_process(
  COMMAND ${Python_EXECUTABLE} -c
          "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
  OUTPUT_VARIABLE LAMPYRIS_TORCH_DIR
  OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE LAMPYRIS_TORCH_MISSING
  ERROR_QUIET)
if(LAMPYRIS_TORCH_MISSING)
  message(FATAL_ERROR "torch >= 2.13 is not installed for ${Python_EXECUTABLE}; "
                      "install it, or build the torch-free part with LAMPYRIS_OPS=OFF")
endif()

# A link to the torch headers alone: beside them lies a copy of fmt that refuses stable-ABI units.
set(LAMPYRIS_TORCH_INCLUDE ${CMAKE_CURRENT_BINARY_DIR}/torch_include)
file(MAKE_DIRECTORY ${LAMPYRIS_TORCH_INCLUDE})
file(CREATE_LINK ${LAMPYRIS_TORCH_DIR}/include/torch ${LAMPYRIS_TORCH_INCLUDE}/torch SYMBOLIC)

add_library(torch_stable INTERFACE)
target_include_directories(torch_stable SYSTEM INTERFACE ${LAMPYRIS_TORCH_INCLUDE})
target_link_libraries(torch_stable INTERFACE ${LAMPYRIS_TORCH_DIR}/lib/libtorch_cpu.so)
target_compile_definitions(torch_stable INTERFACE TORCH_TARGET_VERSION=0x020d000000000000ULL)
