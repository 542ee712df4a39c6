#include "base/thread.h"

#include <pthread.h>

#include <string>

namespace millstream::base {

void NameThisThread(std::string_view name) {
  pthread_setname_np(pthread_self(), std::string(name.substr(0, 15)).c_str());
}

}  // namespace millstream::base
