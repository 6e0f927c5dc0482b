# Rewrites a header only when its id changed, so that nothing else is rebuilt.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${PYTHON} ${SOURCE}/python/lampyris/_build.py ${SOURCE}/csrc
                OUTPUT_VARIABLE ids OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(GET ids 0 native)
list(GET ids 1 ops)
file(CONFIGURE OUTPUT ${FOLDER}/lampyris_build_id.h @ONLY CONTENT
     "#define LAMPYRIS_BUILD_ID \"@native@\"\n")
file(CONFIGURE OUTPUT ${FOLDER}/lampyris_ops_build_id.h @ONLY CONTENT
     "#define LAMPYRIS_OPS_BUILD_ID \"@ops@\"\n")
