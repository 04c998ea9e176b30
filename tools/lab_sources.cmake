# Sources of the product that a lab's student writes.
#
# pagealloc_lab_sources(LIST SOURCES...): sets LIST to the sources as absolute paths. In the whole
# repository that is all. A student's repository lacks those that are to be written there: in their
# place stands the lab's own file, which lab.json names. Call it in the directory of the target.
function(pagealloc_lab_sources list)
  set(found "")
  foreach(source ${ARGN})
    get_filename_component(path ${source} ABSOLUTE)
    if(NOT EXISTS ${path})
      file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${path})
      pagealloc_lab_file(path ${name})
      # A warning in unfinished work is shown, and stops nobody.
      set_source_files_properties(${path} PROPERTIES COMPILE_OPTIONS -Wno-error)
    endif()
    list(APPEND found ${path})
  endforeach()
  set(${list} ${found} PARENT_SCOPE)
endfunction()

# The student's file that stands for `reference`, a path in the repository.
function(pagealloc_lab_file result reference)
  file(GLOB tables ${PROJECT_SOURCE_DIR}/labs/*/lab.json)
  foreach(table ${tables})
    file(READ ${table} json)
    string(JSON count LENGTH ${json} files)
    math(EXPR last "${count} - 1")
    foreach(i RANGE ${last})
      string(JSON of GET ${json} files ${i} reference)
      if(of STREQUAL reference)
        string(JSON name GET ${json} files ${i} name)
        get_filename_component(folder ${table} DIRECTORY)
        set(${result} ${folder}/${name} PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
  message(FATAL_ERROR "${reference} is not there, and no lab is about it")
endfunction()
