# Baseline is x86-64-v2; SIMD kernels carry their own target attributes and a scalar twin.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-march=x86-64-v2)
endif()
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
                    -fno-omit-frame-pointer -fdiagnostics-color=auto)
if(MILLSTREAM_WERROR)
  add_compile_options(-Werror)
endif()
# __int128 is how we hold 128-bit hash keys; it is not ISO C++ but both compilers have it.
if(MILLSTREAM_SANITIZE)
  add_compile_options(-fsanitize=${MILLSTREAM_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLSTREAM_SANITIZE})
  add_compile_definitions(MILLSTREAM_SANITIZED=1)
endif()
# The libraries too report coverage, or the fuzzers would only see their own few lines.
if(MILLSTREAM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
