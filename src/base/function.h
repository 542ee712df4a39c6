#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace millstream::base {

template <typename Signature>
class Function;

// A move-only callable, for callbacks that own what they need (std::move_only_function is C++23).
// Callables of up to 48 bytes that move without throwing live inside; larger ones are allocated.
template <typename R, typename... Args>
class Function<R(Args...)> {
 public:
  Function() = default;
  Function(std::nullptr_t) {}

  template <typename F>
    requires(!std::is_same_v<std::decay_t<F>, Function> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  Function(F&& callable) {
    using Callable = std::decay_t<F>;
    if constexpr (sizeof(Callable) <= kInlineBytes && alignof(Callable) <= kAlignment &&
                  std::is_nothrow_move_constructible_v<Callable>) {
      new (storage_) Callable(std::forward<F>(callable));
      operations_ = &kInline<Callable>;
    } else {
      *reinterpret_cast<Callable**>(storage_) = new Callable(std::forward<F>(callable));
      operations_ = &kAllocated<Callable>;
    }
  }

  Function(Function&& other) noexcept { TakeFrom(other); }
  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      Reset();
      TakeFrom(other);
    }
    return *this;
  }
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  ~Function() { Reset(); }

  explicit operator bool() const { return operations_ != nullptr; }

  R operator()(Args... args) {
    return operations_->call(storage_, std::forward<Args>(args)...);
  }

 private:
  static constexpr std::size_t kInlineBytes = 48;
  static constexpr std::size_t kAlignment = alignof(std::max_align_t);

  struct Operations {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;  // leaves `from` destroyed
    void (*destroy)(void*) noexcept;
  };

  template <typename C>
  static constexpr Operations kInline = {
      [](void* self, Args&&... args) -> R {
        return (*static_cast<C*>(self))(std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept {
        new (to) C(std::move(*static_cast<C*>(from)));
        static_cast<C*>(from)->~C();
      },
      [](void* self) noexcept { static_cast<C*>(self)->~C(); }};

  template <typename C>
  static constexpr Operations kAllocated = {
      [](void* self, Args&&... args) -> R {
        return (**static_cast<C**>(self))(std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept { *static_cast<C**>(to) = *static_cast<C**>(from); },
      [](void* self) noexcept { delete *static_cast<C**>(self); }};

  void Reset() {
    if (operations_ != nullptr) {
      operations_->destroy(storage_);
      operations_ = nullptr;
    }
  }
  void TakeFrom(Function& other) noexcept {
    operations_ = other.operations_;
    if (operations_ != nullptr) {
      operations_->move(other.storage_, storage_);
      other.operations_ = nullptr;
    }
  }

  alignas(kAlignment) unsigned char storage_[kInlineBytes];
  const Operations* operations_ = nullptr;
};

}  // namespace millstream::base
