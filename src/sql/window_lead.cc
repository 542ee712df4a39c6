#include "sql/window_lead.h"

namespace millstream::sql {

LeadWindows::LeadWindows(const std::vector<Physical>& columns, int inputs)
    : inputs_(inputs),
      visible_(static_cast<int>(columns.size())),
      columns_(columns),
      log_({}),
      waits_({Physical::kInt}),
      out_(columns) {}

void LeadWindows::Add(const WindowPlan& plan, WindowCalls calls) {
  auto window = std::make_unique<Window>();
  window->plan = &plan;
  window->first_bit = static_cast<int>(columns_.size()) - visible_;
  for (const ExprPtr& key : plan.partition_by) window->keys.push_back(Compile(key));
  for (std::size_t c = 0; c < calls.calls.size(); ++c) {
    const AggregateCall& call = *calls.calls[c];
    window->calls.push_back({&call, inputs_ + calls.results[c], static_cast<int>(columns_.size()),
                             Compile(call.argument),
                             call.fallback ? Compile(call.fallback) : nullptr});
    columns_.push_back(PhysicalOf(call.argument->type.kind));
  }
  windows_.push_back(std::move(window));
  std::vector<Physical> all = columns_;
  all.push_back(Physical::kInt);
  log_ = RowLog(all);
}

std::size_t LeadWindows::PartitionBytes(const Window& window, std::string_view key) {
  return key.size() + kEntryBytes + sizeof(Partition) + window.calls.size() * sizeof(Queue);
}

void LeadWindows::Push(EvalContext& context, RowBuffer& results) {
  const Batch& batch = *context.input;
  std::vector<const Vector*> columns(batch.columns);
  std::vector<const Vector*> arguments;
  int64_t waits = 0;
  for (auto& window : windows_) {
    for (std::size_t c = 0; c < window->calls.size(); ++c) {
      Call& call = window->calls[c];
      arguments.push_back(&call.value->Evaluate(context));
      // Until its row has come, the result is what stands there if it never does.
      const Vector* fallback = call.call->offset == 0 ? arguments.back()
                               : call.fallback        ? &call.fallback->Evaluate(context)
                                                      : nullptr;
      Vector& result = results.column(call.result - inputs_);
      for (int i = 0; i < batch.rows; ++i) {
        if (fallback == nullptr) {
          result.SetNull(i);
        } else {
          result.CopyRow(i, *fallback, i);
        }
      }
      if (call.call->offset > 0) waits |= int64_t{1} << (window->first_bit + static_cast<int>(c));
    }
  }
  results.set_rows(batch.rows);
  for (const Vector* v : results.view().columns) columns.push_back(v);
  columns.insert(columns.end(), arguments.begin(), arguments.end());
  for (int i = 0; i < batch.rows; ++i) waits_.column(0).ints()[i] = waits;
  columns.push_back(&waits_.column(0));
  const uint64_t first = log_.end();
  log_.Append(columns, batch.rowtime, 0, batch.rows);
  std::vector<const Vector*> keys;
  std::string key;
  for (auto& window : windows_) {
    keys.clear();
    for (auto& kernel : window->keys) keys.push_back(&kernel->Evaluate(context));
    for (int i = 0; i < batch.rows; ++i) {
      key.clear();
      for (const Vector* v : keys) AppendKey(*v, i, key);
      auto [it, fresh] = window->partitions.try_emplace(key);
      if (fresh) {
        it->second.queues.resize(window->calls.size());
        key_bytes_ += PartitionBytes(*window, key);
      }
      Arrive(*window, it->second, first + static_cast<uint64_t>(i));
    }
  }
}

void LeadWindows::Arrive(Window& window, Partition& partition, uint64_t row) {
  const int64_t time = log_.rowtime(row);
  const int wait_column = static_cast<int>(columns_.size());
  partition.last = row;
  for (std::size_t c = 0; c < window.calls.size(); ++c) {
    const Call& call = window.calls[c];
    if (call.call->offset == 0) continue;
    Queue& queue = partition.queues[c];
    const std::size_t before = queue.waiting.size() - queue.head;
    auto front = [&]() -> const Waiting* {
      return queue.head == queue.waiting.size() ? nullptr : &queue.waiting[queue.head];
    };
    while (const Waiting* w = front()) {
      if (w->row >= log_.first() && log_.rowtime(w->row) + window.plan->following >= time) break;
      ++queue.head;  // it has waited long enough
    }
    const Vector& argument = log_.column(row, call.argument);
    if (!call.call->ignore_nulls || argument.valid()[RowLog::RowOf(row)] != 0) {
      ++queue.count;
      while (const Waiting* w = front()) {
        if (w->until > queue.count) break;
        log_.column(w->row, call.result)
            .CopyRow(RowLog::RowOf(w->row), argument, RowLog::RowOf(row));
        log_.column(w->row, wait_column).ints()[RowLog::RowOf(w->row)] &=
            ~(int64_t{1} << (window.first_bit + static_cast<int>(c)));
        ++queue.head;
      }
    }
    if (queue.head > 16 && queue.head * 2 > queue.waiting.size()) {
      queue.waiting.erase(queue.waiting.begin(),
                          queue.waiting.begin() + static_cast<std::ptrdiff_t>(queue.head));
      queue.head = 0;
    }
    queue.waiting.push_back({row, queue.count + call.call->offset});
    entries_ += queue.waiting.size() - queue.head;
    entries_ -= before;
  }
}

bool LeadWindows::Waits(uint64_t row, int64_t bound) const {
  const int64_t waits =
      log_.column(row, static_cast<int>(columns_.size())).ints()[RowLog::RowOf(row)];
  if (waits == 0) return false;
  for (const auto& window : windows_) {
    const int64_t mask = ((int64_t{1} << window->calls.size()) - 1) << window->first_bit;
    if ((waits & mask) != 0 && log_.rowtime(row) + window->plan->following >= bound) return true;
  }
  return false;
}

void LeadWindows::Drain(int64_t bound, const std::function<void(const Batch&)>& emit) {
  uint64_t numbers[kBatchRows];
  while (!log_.empty()) {
    int rows = 0;
    out_.Clear();
    for (uint64_t row = log_.first(); row < log_.end() && rows < kBatchRows && !Waits(row, bound);
         ++row) {
      out_.rowtime()[rows] = log_.rowtime(row);
      numbers[rows++] = row;
    }
    if (rows == 0) break;
    log_.Read(numbers, rows, visible_, out_, 0, 0);
    out_.set_rows(rows);
    emit(out_.view());
    log_.DropBefore(numbers[rows - 1] + 1);
  }
  for (auto& window : windows_) {
    if (window->partitions.size() > window->sweep_beyond) Sweep(*window);
  }
}

void LeadWindows::Sweep(Window& window) {
  for (auto it = window.partitions.begin(); it != window.partitions.end();) {
    if (it->second.last >= log_.first()) {
      ++it;
      continue;
    }
    key_bytes_ -= PartitionBytes(window, it->first);
    for (const Queue& queue : it->second.queues) entries_ -= queue.waiting.size() - queue.head;
    it = window.partitions.erase(it);
  }
  window.sweep_beyond = 1024 + 2 * window.partitions.size();
}

std::size_t LeadWindows::held_bytes() const {
  return log_.bytes() + 2 * entries_ * sizeof(Waiting) + key_bytes_;
}

void LeadWindows::Save(std::string& out) const {
  const int columns = static_cast<int>(columns_.size()) + 1;
  SaveInt(static_cast<int64_t>(log_.size()), out);
  std::string packed;
  for (uint64_t row = log_.first(); row < log_.end(); ++row) {
    packed.clear();
    log_.Pack(row, columns, packed);
    SaveInt(log_.rowtime(row), out);
    SaveText(packed, out);
  }
  // Numbers of rows count from the first one that is here; what waits for nothing is left out.
  for (const auto& window : windows_) {
    SaveInt(static_cast<int64_t>(window->partitions.size()), out);
    for (const auto& [key, partition] : window->partitions) {
      SaveText(key, out);
      for (const Queue& queue : partition.queues) {
        SaveInt(queue.count, out);
        std::size_t from = queue.head;
        while (from < queue.waiting.size() && queue.waiting[from].row < log_.first()) ++from;
        SaveInt(static_cast<int64_t>(queue.waiting.size() - from), out);
        for (; from < queue.waiting.size(); ++from) {
          SaveInt(static_cast<int64_t>(queue.waiting[from].row - log_.first()), out);
          SaveInt(queue.waiting[from].until, out);
        }
      }
    }
  }
}

bool LeadWindows::Restore(std::string_view& in) {
  const int columns = static_cast<int>(columns_.size()) + 1;
  int64_t rows = 0;
  if (!RestoreInt(in, rows) || rows < 0) return false;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t time = 0;
    std::string_view packed;
    if (!RestoreInt(in, time) || !RestoreText(in, packed)) return false;
    log_.AppendPacked(packed, time, columns);
  }
  for (auto& window : windows_) {
    int64_t partitions = 0;
    if (!RestoreInt(in, partitions)) return false;
    for (int64_t p = 0; p < partitions; ++p) {
      std::string_view key;
      if (!RestoreText(in, key)) return false;
      Partition& partition = window->partitions[std::string(key)];
      partition.queues.resize(window->calls.size());
      key_bytes_ += PartitionBytes(*window, key);
      for (Queue& queue : partition.queues) {
        int64_t waiting = 0;
        if (!RestoreInt(in, queue.count) || !RestoreInt(in, waiting)) return false;
        for (int64_t w = 0; w < waiting; ++w) {
          int64_t row = 0, until = 0;
          if (!RestoreInt(in, row) || !RestoreInt(in, until) || row < 0 || row >= rows)
            return false;
          queue.waiting.push_back({static_cast<uint64_t>(row), until});
          partition.last = std::max(partition.last, static_cast<uint64_t>(row));
          ++entries_;
        }
      }
    }
  }
  return true;
}

}  // namespace millstream::sql
