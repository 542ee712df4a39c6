# millstream_layer(<folder> [LAYERS a b ...] [LIBS x y ...])
#
# Library `ms_<folder>` of src/<folder>/*.cc (a/b becomes a_b), test program `<folder>_test` of its
# *_test.cc, fuzz targets `<folder>_<name>_fuzz` of its *_fuzz.cc. New files need no edit.
# Fuzz targets: with MILLSTREAM_FUZZ they are libFuzzer programs; otherwise each becomes a test that
# replays tests/corpus/<folder>_<name>/ through the same entry point.
# Targets `unit_tests` and `fuzzers` are all of them together.
add_custom_target(unit_tests)
add_custom_target(fuzzers)

function(millstream_layer folder)
  cmake_parse_arguments(ARG "" "" "LAYERS;LIBS;TEST_LIBS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  set(dir ${CMAKE_SOURCE_DIR}/src/${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|main)\\.cc$")

  set(links)
  foreach(layer ${ARG_LAYERS})
    string(REPLACE "/" "_" layer_name ${layer})
    list(APPEND links ms_${layer_name})
  endforeach()

  if(sources)
    add_library(ms_${name} STATIC ${sources})
    target_include_directories(ms_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(ms_${name} PUBLIC ${links} ${ARG_LIBS} Threads::Threads)
  else()
    add_library(ms_${name} INTERFACE)
    target_include_directories(ms_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(ms_${name} INTERFACE ${links} ${ARG_LIBS} Threads::Threads)
  endif()

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ms_${name} ${ARG_TEST_LIBS} GTest::gtest GTest::gmock
                                               GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
                               MILLSTREAM_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600)
    add_dependencies(unit_tests ${name}_test)
  endif()

  foreach(fuzzer ${fuzzers})
    get_filename_component(base ${fuzzer} NAME_WE)
    set(target ${name}_${base})
    string(REGEX REPLACE "_fuzz$" "" corpus ${target})
    if(MILLSTREAM_FUZZ)
      add_executable(${target} ${fuzzer})
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
      add_dependencies(fuzzers ${target})
    else()
      add_executable(${target} ${fuzzer} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
      add_test(NAME fuzz_${corpus}
               COMMAND ${target} ${CMAKE_SOURCE_DIR}/tests/corpus/${corpus})
      add_dependencies(unit_tests ${target})
    endif()
    target_link_libraries(${target} PRIVATE ms_${name})
  endforeach()
endfunction()
