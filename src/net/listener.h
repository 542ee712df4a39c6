#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/function.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/socket.h"

namespace millstream::net {

// Accepts connections of one listening socket on one loop. Used on the loop's thread only.
// When the process is out of descriptors it accepts and closes, so that clients learn of it at
// once.
class Listener {
 public:
  using Accepted = base::Function<void(Socket socket, std::string peer_address)>;
  Listener(Loop& loop, Socket socket, Accepted accepted);
  ~Listener();  // stops accepting

  base::Status Start();

 private:
  void Accept();
  void RefuseOne();

  Loop& loop_;
  Socket socket_;
  Socket reserve_;  // given up to accept and close one connection when descriptors run out
  Accepted accepted_;
};

}  // namespace millstream::net
