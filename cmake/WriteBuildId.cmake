# Rewrites the header only when the id changed, so that nothing else is rebuilt.
execute_process(COMMAND ${PYTHON} ${SOURCE}/cmake/build_id.py ${SOURCE}/csrc
                OUTPUT_VARIABLE id OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define LAMPYRIS_BUILD_ID \"@id@\"\n" @ONLY)
