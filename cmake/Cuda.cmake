# _ops_cuda.so: torch-free kernels, static runtime, loadable without a GPU or a CUDA build of torch.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_ARCHITECTURES OFF)

file(GLOB LAMPYRIS_CUDA_SOURCES CONFIGURE_DEPENDS csrc/ops/*/*.cu csrc/ops/*/*_cuda.cpp)
if(NOT LAMPYRIS_CUDA_SOURCES)
  return()
endif()
add_library(_ops_cuda MODULE ${LAMPYRIS_CUDA_SOURCES})
target_include_directories(_ops_cuda PRIVATE csrc)
target_compile_options(
  _ops_cuda
  PRIVATE
    # SHELL: keeps repeated options; without it CMake drops the second -gencode.
    "SHELL:$<$<COMPILE_LANGUAGE:CUDA>:-O3 --fmad=false -Werror all-warnings -lineinfo>"
    "SHELL:$<$<COMPILE_LANGUAGE:CUDA>:-gencode arch=compute_80,code=sm_80>"
    "SHELL:$<$<COMPILE_LANGUAGE:CUDA>:-gencode arch=compute_90,code=sm_90>"
    "SHELL:$<$<COMPILE_LANGUAGE:CUDA>:-gencode arch=compute_120,code=[sm_120,compute_120]>"
    "SHELL:$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler -fPIC,-Wall,-Wextra>"
    "$<$<COMPILE_LANGUAGE:CXX>:-O3;-ffp-contract=off;-Wall;-Wextra>")
set_target_properties(_ops_cuda PROPERTIES PREFIX "" CUDA_RUNTIME_LIBRARY Static
                                           CUDA_STANDARD 17 CXX_VISIBILITY_PRESET hidden)
target_link_libraries(_ops_cuda PRIVATE torch_stable lampyris_cpu)
target_link_options(_ops_cuda PRIVATE -Wl,--exclude-libs,ALL)
install(TARGETS _ops_cuda LIBRARY DESTINATION lampyris COMPONENT python)
