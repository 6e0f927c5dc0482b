# find_package(Lampyris COMPONENTS torch): Lampyris::torch, the libtorch of Python_EXECUTABLE (or of
# LAMPYRIS_TORCH_DIR) with its C++ headers. find_package(Torch) asks for a whole CUDA toolkit when torch
# was built with CUDA, whose parts are Python packages there.
if(NOT LAMPYRIS_TORCH_DIR)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c
            "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE LAMPYRIS_TORCH_DIR
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
if(NOT TARGET Lampyris::torch)
  add_library(Lampyris::torch INTERFACE IMPORTED)
  target_include_directories(
    Lampyris::torch SYSTEM INTERFACE ${LAMPYRIS_TORCH_DIR}/include
                                     ${LAMPYRIS_TORCH_DIR}/include/torch/csrc/api/include)
  # libtorch_cpu finds its own dependencies at run time, not at link time. libtorch.so has no symbols,
  # but AOTInductor packages name it.
  set(torch_lib ${LAMPYRIS_TORCH_DIR}/lib)
  target_link_libraries(
    Lampyris::torch INTERFACE -Wl,--allow-shlib-undefined -Wl,--no-as-needed ${torch_lib}/libtorch.so
                              -Wl,--as-needed ${torch_lib}/libtorch_cpu.so ${torch_lib}/libc10.so)
  target_compile_features(Lampyris::torch INTERFACE cxx_std_20)
endif()
