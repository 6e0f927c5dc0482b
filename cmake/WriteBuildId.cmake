# Rewrites the header only when an id changed, so that nothing else is rebuilt.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${PYTHON} ${SOURCE}/python/lampyris/_build.py ${SOURCE}/csrc
                OUTPUT_VARIABLE ids OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(GET ids 0 all)
list(GET ids 1 ops)
file(CONFIGURE OUTPUT ${HEADER} @ONLY CONTENT
     "#define LAMPYRIS_BUILD_ID \"@all@\"\n#define LAMPYRIS_OPS_BUILD_ID \"@ops@\"\n")
