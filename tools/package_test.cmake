# Installs the library beside the build, builds docs/example against it as another project would,
# and runs that. Called by ctest with SOURCE and BUILD.
set(prefix ${BUILD}/package-test/installed)
set(example ${BUILD}/package-test/example)
file(REMOVE_RECURSE ${BUILD}/package-test)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${SOURCE}/docs/example -B ${example} -G Ninja
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${example})
run(${example}/example ${example}/x.pa)
if(NOT output STREQUAL "hello\n")
  message(FATAL_ERROR "the example printed: ${output}")
endif()
