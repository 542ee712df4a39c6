#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

// What the vector kernels of this folder ask the CPU, beyond the baseline of x86-64-v2.
namespace millstream::codec {

#if defined(__x86_64__)
inline bool CpuHasAvx2() { return __builtin_cpu_supports("avx2"); }
inline bool CpuHasPclmul() { return __builtin_cpu_supports("pclmul"); }

// Not every compiler that we support knows "sha" in __builtin_cpu_supports.
inline bool CpuHasSha() {
  static const bool has = [] {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & (1u << 29)) != 0;
  }();
  return has;
}
#endif

}  // namespace millstream::codec
