// From the text of an application to its streams, pumps and operators.
#include <algorithm>

#include "sql/application_impl.h"
#include "sql/cast.h"
#include "sql/lexer.h"
#include "sql/parser.h"

namespace millstream::sql {
namespace {

// Streams that a plan reads.
void CollectStreams(const Plan& plan, std::vector<std::string>& names) {
  if (plan.kind == Plan::Kind::kStream) names.push_back(plan.name);
  for (const auto& input : plan.inputs) CollectStreams(*input, names);
}

// Hands on, and says how far time is.
class PassOperator final : public Operator {
 public:
  void Push(int, const Batch& batch) override {
    Emit(batch);
    EmitBound(batch.rowtime[batch.rows - 1]);
  }
  void Advance(int, int64_t bound) override { EmitBound(bound); }
};

}  // namespace

void Application::Impl::Build(std::string_view text, const ApplicationConfig& config) {
  state_bytes_max_ = config.state_bytes_max;
  if (text.size() > config.text_bytes_max) {
    throw SqlError({1, 1}, "the code has " + std::to_string(text.size()) + " bytes, the limit is " +
                               std::to_string(config.text_bytes_max));
  }
  for (const InputConfig& input : config.inputs) AddInput(input);
  for (const TableConfig& table : config.tables) AddTable(table);
  auto statements = Parse(text);
  if (!statements) {
    parse_error_ = std::make_unique<base::Error>(statements.error());
    return;
  }
  statements_ = std::move(*statements);
  for (ast::Statement& statement : statements_) Run(statement);
  for (const auto& lookup : catalog_.lookups) lookup->Fill(RelationRows(*lookup->plan, ""));
}

void Application::Impl::Connect() {
  std::map<std::string, int> writers;
  for (const Pump& pump : pumps_) {
    if (!pump.stopped) ++writers[pump.target];
  }
  CheckCycles();
  std::map<std::string, Operator*> merges;
  std::map<std::string, int> ports;
  for (auto& [name, stream] : catalog_.streams) {
    StreamNode& node = *nodes_[name];
    Operator* head = &node;
    if (stream.watermark_column >= 0) head = AddWatermark(stream, node);
    if (writers[name] > 1) {
      Operator* merge = Keep(MakeMerge(stream.columns, writers[name]), name, "merge");
      merge->SetOutput(head, 0);
      merges[name] = merge;
    } else {
      merges[name] = head;
    }
  }
  for (Pump& pump : pumps_) {
    if (pump.stopped) continue;
    Operator* last = Make(*pump.plan, pump.name);
    last->SetOutput(merges[pump.target], ports[pump.target]++);
  }
}

Operator* Application::Impl::AddWatermark(const StreamInfo& stream, StreamNode& node) {
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kTSort;
  plan->columns = stream.columns;
  plan->visible = static_cast<int>(stream.columns.size());
  plan->within_ms = stream.watermark_delay_ms;
  plan->time_column = stream.watermark_column;
  auto input = std::make_unique<Plan>();
  input->columns = stream.columns;
  plan->inputs.push_back(std::move(input));
  Operator* sort = Keep(MakeTimeSort(*plan, runtime_, stream.name), stream.name, "watermark");
  sort->SetOutput(&node, 0);
  plans_.push_back(std::move(plan));
  return sort;
}

Operator* Application::Impl::Keep(std::unique_ptr<Operator> op, const std::string& pump,
                                  std::string_view what) {
  operators_.push_back(std::move(op));
  labels_.push_back({pump, std::string(what), 0});
  return operators_.back().get();
}

Operator* Application::Impl::Make(const Plan& plan, const std::string& pump) {
  if (!plan.streaming) {
    Operator* pass = Keep(std::make_unique<PassOperator>(), pump, PlanKindName(plan.kind));
    relations_.push_back({pass, 0, &plan, pump});
    return pass;
  }
  std::unique_ptr<Operator> op;
  switch (plan.kind) {
    case Plan::Kind::kTable:
    case Plan::Kind::kValues:
    case Plan::Kind::kExcept:
    case Plan::Kind::kIntersect:
      CHECK_MSG(false, "a relation that is planned as a stream");
      break;
    case Plan::Kind::kStream:
      op = std::make_unique<PassOperator>();
      nodes_.at(plan.name)->Subscribe(op.get(), 0);
      break;
    case Plan::Kind::kProject:
      op = MakeProject(plan, runtime_, pump);
      break;
    case Plan::Kind::kAggregate:
      op = MakeAggregate(plan, runtime_, pump);
      break;
    case Plan::Kind::kStagger:
      op = MakeStagger(plan, runtime_, pump);
      break;
    case Plan::Kind::kWindow:
      op = MakeWindow(plan, runtime_, pump);
      break;
    case Plan::Kind::kRank:
      op = MakeRank(plan, runtime_, pump);
      break;
    case Plan::Kind::kSort:
      op = MakeSort(plan, runtime_, pump);
      break;
    case Plan::Kind::kTSort:
      op = MakeTimeSort(plan, runtime_, pump);
      break;
    case Plan::Kind::kUnion:
      op = MakeMerge(plan.columns, static_cast<int>(plan.inputs.size()));
      break;
    case Plan::Kind::kDistinct:
      op = MakeDistinct(plan, runtime_);
      break;
    case Plan::Kind::kTableFunction:
      op = MakeTableFunction(plan, runtime_);
      break;
    case Plan::Kind::kLimit:
      op = MakeLimit(plan);
      break;
    case Plan::Kind::kWindowing:
      if (plan.windowing.kind == WindowingPlan::Kind::kSession) {
        throw SqlError(plan.at,
                       "a session is known when it ends; write GROUP BY window_start, "
                       "window_end and the keys of PARTITION BY");
      }
      op = MakeWindowing(plan);
      break;
    case Plan::Kind::kWindowAggregate:
      op = MakeWindowAggregate(plan, runtime_, pump);
      break;
    case Plan::Kind::kJoin: {
      std::vector<std::string> rows[2];
      for (int s = 0; s < 2; ++s) {
        const Plan& side = *plan.inputs[static_cast<std::size_t>(s)];
        if (!side.streaming) rows[s] = RelationRows(side, pump);
      }
      op = MakeJoin(plan, runtime_, pump, rows);
      break;
    }
  }
  Operator* raw = Keep(std::move(op), pump, PlanKindName(plan.kind));
  Operator* head = raw;
  if (std::unique_ptr<Operator> sieve = MakeSieve(plan, runtime_, pump)) {
    head = Keep(std::move(sieve), pump, "check of rows");
    head->SetOutput(raw, 0);
  }
  int port = 0;
  for (const auto& input : plan.inputs) {
    if (plan.kind == Plan::Kind::kJoin && !input->streaming) {
      table_sides_.push_back({raw, port, input.get(), pump});
      ++port;
      continue;
    }
    Make(*input, pump)->SetOutput(head, port++);
  }
  return raw;
}

void Application::Impl::ReplaceTable(const std::string& name,
                                     std::vector<std::vector<Value>> rows) {
  tables_[name].swap(rows);
  try {
    FillFrom(name);
  } catch (const SqlError&) {
    tables_[name].swap(rows);
    FillFrom(name);
    throw;
  }
}

void Application::Impl::FillFrom(const std::string& table) {
  // A query inside an expression stands behind those inside its own expressions.
  for (const auto& lookup : catalog_.lookups) {
    if (ReadsTable(*lookup->plan, table)) lookup->Fill(RelationRows(*lookup->plan, ""));
  }
  for (const RelationInput& side : table_sides_) {
    if (ReadsTable(*side.plan, table)) {
      side.to->SetTable(side.port, RelationRows(*side.plan, side.pump));
    }
  }
}

RelationReader::Rows Application::Impl::RelationRows(const Plan& plan, const std::string& pump) {
  return RelationReader(tables_, runtime_, pump, state_bytes_max_).Read(plan);
}

void Application::Impl::CheckCycles() {
  // A stream may not feed itself, however far round: rows would never end.
  std::map<std::string, std::vector<std::string>> reads;
  for (const Pump& pump : pumps_) {
    std::vector<std::string> names;
    CollectStreams(*pump.plan, names);
    for (const std::string& n : names) reads[pump.target].push_back(n);
  }
  for (const Pump& pump : pumps_) {
    std::vector<std::string> todo = reads[pump.target], seen;
    while (!todo.empty()) {
      std::string name = todo.back();
      todo.pop_back();
      if (name == pump.target) {
        throw SqlError(pump.at, "pump " + pump.name + " feeds stream " + name +
                                    " from itself; write into another stream");
      }
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
      seen.push_back(name);
      for (const std::string& n : reads[name]) todo.push_back(n);
    }
  }
}

void Application::Impl::AddInput(const InputConfig& input) {
  StreamInfo stream;
  stream.name = input.name;
  stream.input = true;
  for (const ColumnConfig& c : input.columns) {
    stream.columns.push_back({c.name, ParseType(c.type), false, nullptr});
  }
  auto pseudo = [&](const char* name, Type type) {
    stream.pseudo.emplace_back(name);
    stream.columns.push_back({name, std::move(type), false, nullptr});
  };
  pseudo("APPROXIMATE_ARRIVAL_TIME", MakeType(Kind::kTimestamp));
  if (input.has_shards) {
    pseudo("SHARD_ID", Varchar(64));
    pseudo("PARTITION_KEY", Varchar(256));
    pseudo("SEQUENCE_NUMBER", Varchar(128));
  }
  nodes_[input.name] = std::make_unique<StreamNode>();
  last_[input.name] = INT64_MIN;
  order_.push_back(input.name);
  catalog_.streams[input.name] = std::move(stream);
}

void Application::Impl::AddTable(const TableConfig& table) {
  TableInfo info;
  info.name = table.name;
  for (const ColumnConfig& c : table.columns) {
    info.columns.push_back({c.name, ParseType(c.type), false, nullptr});
  }
  for (const auto& row : table.rows) {
    if (row.size() != info.columns.size()) {
      throw SqlError({1, 1}, "a row of table " + table.name + " has " + std::to_string(row.size()) +
                                 " values, not " + std::to_string(info.columns.size()));
    }
  }
  tables_[table.name] = table.rows;
  catalog_.tables[table.name] = std::move(info);
}

void Application::Impl::Run(ast::Statement& s) {
  switch (s.kind) {
    case ast::Statement::Kind::kCreateStream:
      return CreateStream(s);
    case ast::Statement::Kind::kCreatePump: {
      const ast::Name& target = s.insert.target.back();
      auto stream = catalog_.streams.find(target.text);
      if (stream == catalog_.streams.end()) {
        std::vector<std::string> names;
        for (const auto& [n, i] : catalog_.streams) names.push_back(n);
        std::string remedy = DidYouMean(target.text, names);
        if (remedy.empty()) remedy = "; create it above: CREATE STREAM " + target.text + " (...)";
        throw SqlError(target.at, "no stream " + target.text + remedy);
      }
      if (stream->second.input) {
        throw SqlError(target.at, "stream " + target.text +
                                      " is an input of the application; create another stream");
      }
      auto same = std::find_if(pumps_.begin(), pumps_.end(),
                               [&](const Pump& p) { return p.name == s.name.text; });
      if (same != pumps_.end()) {
        if (!s.or_replace) {
          throw SqlError(s.name.at,
                         "pump " + s.name.text + " exists; write CREATE OR REPLACE PUMP");
        }
        pumps_.erase(same);
      }
      Pump pump;
      pump.name = s.name.text;
      pump.target = target.text;
      pump.at = s.at;
      pump.plan = BindInsert(catalog_, s.insert, stream->second);
      // Applications written for AWS run all their pumps, STOPPED or not.
      pumps_.push_back(std::move(pump));
      return;
    }
    case ast::Statement::Kind::kCreateFunction: {
      FunctionInfo f;
      for (const ast::Parameter& p : s.parameters) {
        for (const auto& [name, type] : f.parameters) {
          if (name == p.name.text)
            throw SqlError(p.name.at, "parameter " + name + " is named twice");
        }
        f.parameters.emplace_back(p.name.text, p.type);
      }
      f.returns = s.returns;
      f.null_on_null_input = s.null_on_null_input;
      f.body = std::shared_ptr<ast::Expression>(s.body.release());
      BindFunction(catalog_, f);
      auto range = catalog_.functions.equal_range(s.name.text);
      auto same = std::find_if(range.first, range.second, [&](const auto& other) {
        return std::equal(f.parameters.begin(), f.parameters.end(), other.second.parameters.begin(),
                          other.second.parameters.end(), [](const auto& a, const auto& b) {
                            return a.second.kind == b.second.kind;  // what calls are told apart by
                          });
      });
      if (same != range.second) {
        if (!s.or_replace) {
          throw SqlError(s.name.at,
                         "function " + s.name.text +
                             " of such parameters exists; write CREATE OR REPLACE FUNCTION");
        }
        catalog_.functions.erase(same);
      }
      catalog_.functions.emplace(s.name.text, std::move(f));
      return;
    }
    case ast::Statement::Kind::kCreateView: {
      if (catalog_.streams.count(s.name.text) != 0 || catalog_.tables.count(s.name.text) != 0) {
        throw SqlError(s.name.at, s.name.text + " exists already");
      }
      if (catalog_.views.count(s.name.text) != 0 && !s.or_replace) {
        throw SqlError(s.name.at, "view " + s.name.text + " exists; write CREATE OR REPLACE VIEW");
      }
      std::vector<std::string> names;
      for (const ast::Name& n : s.view_columns) names.push_back(n.text);
      std::unique_ptr<Plan> plan = BindQuery(catalog_, *s.query);
      if (!names.empty() && names.size() != plan->columns.size()) {
        throw SqlError(s.name.at, "the view names " + std::to_string(names.size()) +
                                      " columns, its query gives " +
                                      std::to_string(plan->columns.size()));
      }
      catalog_.views[s.name.text] = {names, std::shared_ptr<ast::Query>(s.query.release())};
      return;
    }
    case ast::Statement::Kind::kAlterPump: {
      for (Pump& p : pumps_) {
        if (p.name == s.name.text) {
          p.stopped = s.stopped;
          return;
        }
      }
      throw SqlError(s.name.at, "no pump " + s.name.text);
    }
    case ast::Statement::Kind::kDrop:
      return Drop(s);
  }
}

void Application::Impl::CreateStream(const ast::Statement& s) {
  const std::string& name = s.name.text;
  if (UpperCase(name) == "ERROR_STREAM") {
    throw SqlError(s.name.at, "error_stream is the stream of failed rows; choose another name");
  }
  if (catalog_.tables.count(name) != 0 || catalog_.views.count(name) != 0) {
    throw SqlError(s.name.at, name + " is the name of a " +
                                  (catalog_.tables.count(name) != 0 ? "reference table" : "view") +
                                  "; choose another one");
  }
  auto existing = catalog_.streams.find(name);
  if (existing != catalog_.streams.end()) {
    if (existing->second.input) {
      throw SqlError(s.name.at, "stream " + name + " is an input of the application");
    }
    if (!s.or_replace) {
      throw SqlError(s.name.at, "stream " + name + " exists; write CREATE OR REPLACE STREAM");
    }
    for (const Pump& pump : pumps_) {
      std::vector<std::string> names;
      CollectStreams(*pump.plan, names);
      if (pump.target == name || std::find(names.begin(), names.end(), name) != names.end()) {
        throw SqlError(s.name.at, "stream " + name + " is used by pump " + pump.name +
                                      " above; define a stream before its pumps");
      }
    }
  }
  StreamInfo stream;
  stream.name = name;
  for (const ast::ColumnDefinition& c : s.columns) {
    for (const PlanColumn& other : stream.columns) {
      if (other.name == c.name.text) {
        throw SqlError(c.name.at, "column " + c.name.text + " is defined twice");
      }
    }
    stream.columns.push_back({c.name.text, c.type, c.not_null, nullptr});
  }
  if (s.watermark) {
    for (std::size_t i = 0; i < stream.columns.size(); ++i) {
      if (stream.columns[i].name == s.watermark->column.text) {
        stream.watermark_column = static_cast<int>(i);
      }
    }
    if (stream.watermark_column < 0 ||
        stream.columns[static_cast<std::size_t>(stream.watermark_column)].type.kind !=
            Kind::kTimestamp) {
      throw SqlError(s.watermark->column.at, "a watermark needs a TIMESTAMP column of the stream");
    }
    if (s.watermark->delay) {
      Value delay = BindConstant(catalog_, *s.watermark->delay);
      if (delay.type.kind != Kind::kInterval || delay.i < 0) {
        throw SqlError(s.watermark->delay->at, "the delay is an interval: - INTERVAL '5' SECOND");
      }
      stream.watermark_delay_ms = delay.i;
    }
    // Rows come out of the watermark in the order of this column, which is their ROWTIME.
    stream.columns[static_cast<std::size_t>(stream.watermark_column)].rowtime_function =
        MakeRowtime();
  }
  if (existing == catalog_.streams.end()) order_.push_back(name);
  catalog_.streams[name] = std::move(stream);
  nodes_[name] = std::make_unique<StreamNode>();
}

void Application::Impl::Drop(const ast::Statement& s) {
  const std::string& name = s.name.text;
  bool found = false;
  if (s.dropped == "PUMP") {
    auto it =
        std::find_if(pumps_.begin(), pumps_.end(), [&](const Pump& p) { return p.name == name; });
    found = it != pumps_.end();
    if (found) pumps_.erase(it);
  } else if (s.dropped == "VIEW") {
    found = catalog_.views.erase(name) > 0;
  } else if (s.dropped == "FUNCTION") {
    found = catalog_.functions.erase(name) > 0;
  } else {
    auto it = catalog_.streams.find(name);
    found = it != catalog_.streams.end() && !it->second.input;
    for (const Pump& pump : pumps_) {
      std::vector<std::string> names;
      CollectStreams(*pump.plan, names);
      if (pump.target == name || std::find(names.begin(), names.end(), name) != names.end()) {
        throw SqlError(s.name.at, "stream " + name + " is used by pump " + pump.name);
      }
    }
    if (found) {
      catalog_.streams.erase(it);
      nodes_.erase(name);
      order_.erase(std::find(order_.begin(), order_.end(), name));
    }
  }
  if (!found && !s.if_exists) throw SqlError(s.name.at, "no " + s.dropped + " " + name);
}

}  // namespace millstream::sql
