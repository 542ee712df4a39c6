// Preloaded into the server by test_disk_and_clock.py: a disk that is slow, and a wall clock that jumps, as a
// file that the test has mapped too says from moment to moment.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct Weather {
  int64_t disk_delay_us;   // each write and each sync takes that much longer
  int64_t wall_offset_ns;  // added to the time of day
};
static volatile struct Weather* weather;

__attribute__((constructor)) static void MapWeather(void) {
  const int fd = open(getenv("WEATHER_FILE"), O_RDONLY | O_CLOEXEC);
  void* mapped = mmap(NULL, sizeof(struct Weather), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) abort();
  weather = mapped;
}

static void Delay(void) {
  const int64_t us = weather->disk_delay_us;
  if (us > 0) usleep((useconds_t)us);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  ssize_t (*real)(int, const void*, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
  Delay();
  return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  ssize_t (*real)(int, const void*, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  Delay();
  return real(fd, data, size, at);
}

int fdatasync(int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
  Delay();
  return real(fd);
}

int fsync(int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
  Delay();
  return real(fd);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL) real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, time);
  if (clock == CLOCK_REALTIME && weather != NULL) {
    const int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + weather->wall_offset_ns;
    time->tv_sec = ns / 1000000000;
    time->tv_nsec = ns % 1000000000;
  }
  return result;
}
