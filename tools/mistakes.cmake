# Programs with a mistake: the product's source with a patch, in front of the product's library. A
# patch that does not apply any more fails the build. Once is enough, in a plain debug build; a
# sanitizer would stop some of them for its own reasons.
#
# pagealloc_mistakes(PREFIX FOLDER OBJECTS): for each patch of the folder a program and a test
# PREFIX_<name>, of the patched source and what the object library OBJECTS has, the unpatched source
# left out; the test's argument is the patch. Sets PREFIX_targets.
function(pagealloc_mistakes prefix folder objects)
  set(targets "")
  if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    find_program(PATCH patch REQUIRED)
    file(GLOB patches CONFIGURE_DEPENDS ${folder}/*.patch)
    foreach(patch ${patches})
      get_filename_component(name ${patch} NAME_WE)
      file(STRINGS ${patch} target REGEX "^--- a/")
      string(REGEX REPLACE "^--- a/" "" source ${target})
      set(source ${PROJECT_SOURCE_DIR}/${source})
      set(wrong ${CMAKE_CURRENT_BINARY_DIR}/wrong/${name}.cpp)
      add_custom_command(OUTPUT ${wrong}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/wrong
        COMMAND ${PATCH} --quiet --fuzz=0 --output=${wrong} ${source} ${patch}
        DEPENDS ${patch} ${source} VERBATIM)
      get_filename_component(unpatched ${source} NAME)
      string(REPLACE "." "\\." unpatched ${unpatched})
      add_executable(${prefix}_${name} ${wrong}
        $<FILTER:$<TARGET_OBJECTS:${objects}>,EXCLUDE,/${unpatched}\\.o$>)
      add_test(NAME ${prefix}_${name} COMMAND ${prefix}_${name} ${patch})
      list(APPEND targets ${prefix}_${name})
    endforeach()
  endif()
  set(${prefix}_targets ${targets} PARENT_SCOPE)
endfunction()
