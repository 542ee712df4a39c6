// Queries over reference tables inside expressions: IN, EXISTS, a scalar value.
#include <utility>

#include "sql/binder_impl.h"

namespace millstream::sql::internal {

namespace {

enum class Where { kNowhere, kInside, kOutside, kBoth };

Where WhereOf(const Expr& e) {
  bool inside = false, outside = false;
  VisitExpr(e, [&](const Expr& x) {
    if (x.op == Expr::Op::kColumn) (x.index >= kOuter ? outside : inside) = true;
    if (x.op == Expr::Op::kRowtime) outside = true;
  });
  return inside ? (outside ? Where::kBoth : Where::kInside)
                : (outside ? Where::kOutside : Where::kNowhere);
}

// Outer columns as the query around counts them.
ExprPtr Outwards(const ExprPtr& e) {
  return RewriteExpr(e, [](const ExprPtr& x) -> ExprPtr {
    return x->op == Expr::Op::kColumn && x->index >= kOuter
               ? MakeColumn(x->index - kOuter, x->type, x->at)
               : nullptr;
  });
}

bool IsPlain(const ast::Query& q) {
  return q.kind == ast::Query::Kind::kSelect && q.from && q.with.empty() && !q.distinct &&
         !q.has_group_by && !q.stagger && !q.having && q.windows.empty() && !q.qualify &&
         q.order_by.empty() && !q.limit;
}

bool HasAggregate(const ast::Expression& e) {
  if (e.kind == EKind::kCall && !e.over && FindAggregate(e.text, false) != nullptr) return true;
  for (const auto& argument : e.arguments) {
    if (argument && HasAggregate(*argument)) return true;
  }
  return false;
}

[[noreturn]] void NotSupported(Position at, const char* what) {
  throw SqlError(at, what, base::Code::kNotSupported);
}

// The rows that meet `conditions`, grouped by `keys`: the columns of the keys, then of the calls.
std::unique_ptr<Plan> GroupRows(std::unique_ptr<Plan> rows, const std::vector<ExprPtr>& conditions,
                                const std::vector<ExprPtr>& keys,
                                std::vector<AggregateCall> calls) {
  ExprPtr all;
  for (const ExprPtr& condition : conditions) all = MakeAnd(all, condition);
  auto group = std::make_unique<Plan>();
  group->kind = Plan::Kind::kAggregate;
  group->at = rows->at;
  group->streaming = false;
  for (const ExprPtr& key : keys) group->columns.push_back({"KEY", key->type, false, nullptr});
  for (const AggregateCall& call : calls) {
    group->columns.push_back({call.name, call.type, false, nullptr});
  }
  group->keys = keys;
  group->calls = std::move(calls);
  group->inputs.push_back(all ? FilterRows(std::move(rows), all, group->at) : std::move(rows));
  return group;
}

// An item over the columns of GroupRows.
ExprPtr BehindGroup(const ExprPtr& item, const std::vector<ExprPtr>& keys) {
  return RewriteExpr(item, [&](const ExprPtr& e) -> ExprPtr {
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if (SameExpr(*e, *keys[k])) return MakeColumn(static_cast<int>(k), e->type, e->at);
    }
    if (e->op == Expr::Op::kAggregate) {
      return MakeColumn(static_cast<int>(keys.size()) + e->index, e->type, e->at);
    }
    if (e->op == Expr::Op::kColumn || e->op == Expr::Op::kRowtime) {
      throw SqlError(e->at,
                     "beside an aggregate, a query inside an expression selects only what its "
                     "WHERE compares with the row outside");
    }
    return nullptr;
  });
}

// What an item is where there are no rows: counts are 0, all else is NULL.
ExprPtr OfNoRows(const ExprPtr& item, const std::vector<AggregateCall>& calls) {
  return RewriteExpr(item, [&](const ExprPtr& e) -> ExprPtr {
    if (e->op == Expr::Op::kAggregate) {
      const AKind kind = calls[static_cast<std::size_t>(e->index)].kind;
      if (kind == AKind::kCountRows || kind == AKind::kCount || kind == AKind::kCountDistinct ||
          kind == AKind::kApproxCount) {
        return MakeConstant(Value::Int(e->type, 0), e->at);
      }
    } else if (e->op != Expr::Op::kColumn) {
      return nullptr;
    }
    return MakeCast(MakeConstant(Value::Null(), e->at), e->type, e->at);
  });
}

}  // namespace

ExprPtr Binder::Subquery(const ast::Expression& e) {
  const ast::Query& query = *e.query;
  if (context_.scope == nullptr) throw SqlError(e.at, "a query cannot stand here");
  if (++depth_ > 32) throw SqlError(e.at, "queries nest more than 32 deep");
  auto lookup = std::make_shared<TableLookup>();
  lookup->kind = e.kind == EKind::kIn       ? TableLookup::Kind::kIn
                 : e.kind == EKind::kExists ? TableLookup::Kind::kExists
                                            : TableLookup::Kind::kValue;

  // The rows, the items of the select list over them, and what WHERE says.
  std::unique_ptr<Plan> rows;
  std::vector<ExprPtr> items, inside, keys, outer_keys;
  bool aggregated = false;
  for (const ast::SelectItem& item : query.items) aggregated |= HasAggregate(*item.expression);
  bool whole = !IsPlain(query);
  if (!whole) {
    From from = BindFrom(*query.from);
    from.scope.outer = context_.scope;
    rows = std::move(from.plan);
    Context saved = context_;
    context_ = Context{};
    context_.scope = &from.scope;
    if (query.where) {
      std::vector<ExprPtr> parts;
      SplitAnd(Boolean(*query.where, "WHERE"), parts);
      for (const ExprPtr& part : parts) {
        Where where = WhereOf(*part);
        if (where == Where::kInside || where == Where::kNowhere) {
          inside.push_back(part);
          continue;
        }
        bool equal = where == Where::kBoth && part->op == Expr::Op::kCall &&
                     part->function->name == "=";
        ExprPtr a = equal ? part->arguments[0] : nullptr, b = equal ? part->arguments[1] : nullptr;
        if (equal && WhereOf(*a) == Where::kOutside) std::swap(a, b);
        if (!equal || WhereOf(*a) != Where::kInside || WhereOf(*b) != Where::kOutside ||
            PhysicalOf(a->type.kind) != PhysicalOf(b->type.kind)) {
          NotSupported(part->at, "a query inside an expression may compare with the row outside by "
                                 "= only: WHERE t.k = s.k; join with it instead");
        }
        keys.push_back(a);
        outer_keys.push_back(Outwards(b));
      }
    }
    if (aggregated && !keys.empty()) {
      if (lookup->kind != TableLookup::Kind::kValue || query.items.size() != 1) {
        NotSupported(e.at,
                     "an aggregate that depends on the row outside can be a value only: "
                     "(SELECT MAX(t.n) FROM t WHERE t.k = s.k)");
      }
      std::vector<AggregateCall> calls;
      context_.aggregates = &calls;
      ExprPtr item = Bind(*query.items[0].expression);
      lookup->absent = EvaluateConstant(OfNoRows(item, calls));
      items.push_back(BehindGroup(item, keys));
      rows = GroupRows(std::move(rows), std::exchange(inside, {}), keys, std::move(calls));
      for (std::size_t k = 0; k < keys.size(); ++k) {
        keys[k] = MakeColumn(static_cast<int>(k), keys[k]->type, keys[k]->at);
      }
    }
    whole = aggregated && keys.empty();
    for (const ast::SelectItem& item : query.items) {
      if (aggregated) break;
      if (item.expression->kind == EKind::kStar) {
        for (const Entry& entry : from.scope.relations[0].entries) items.push_back(entry.expr);
      } else if (lookup->kind != TableLookup::Kind::kExists) {
        items.push_back(Bind(*item.expression));
        if (WhereOf(*items.back()) == Where::kBoth || WhereOf(*items.back()) == Where::kOutside) {
          NotSupported(item.expression->at, "the select list of a query inside an expression reads "
                                            "its own tables only");
        }
      }
    }
    context_ = saved;
  }
  if (whole) {
    inside.clear();
    rows = Query(query);
    for (std::size_t i = 0; i < rows->columns.size(); ++i) {
      items.push_back(MakeColumn(static_cast<int>(i), rows->columns[i].type));
    }
  }
  --depth_;
  if (rows->streaming) {
    NotSupported(e.at, "a query inside an expression reads reference tables only; join with the "
                       "stream instead");
  }

  auto bound = std::make_shared<Expr>();
  bound->op = Expr::Op::kLookup;
  bound->at = e.at;
  bound->type = BooleanType();
  bound->arguments = outer_keys;
  lookup->correlated = static_cast<int>(keys.size());
  if (lookup->kind == TableLookup::Kind::kIn) {
    const ast::Expression& left = *e.arguments[0];
    std::vector<ExprPtr> values;
    if (left.kind == EKind::kRow) {
      for (const auto& a : left.arguments) values.push_back(Bind(*a));
    } else {
      values.push_back(Bind(left));
    }
    if (values.size() != items.size()) {
      throw SqlError(e.at, "IN compares " + std::to_string(values.size()) + " values with " +
                               std::to_string(items.size()) + " columns");
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      ExprPtr outer = RewriteExpr(values[i], [](const ExprPtr& x) -> ExprPtr {
        return x->op == Expr::Op::kColumn ? MakeColumn(x->index + kOuter, x->type, x->at) : nullptr;
      });
      Arguments pair = {outer, items[i]};
      Type type = Unify(pair, 0, e.at, "compare");
      if (pair[0]->type.kind == Kind::kNull) pair[0] = MakeCast(pair[0], type, e.at);
      bound->arguments.push_back(Outwards(pair[0]));
      keys.push_back(pair[1]);
    }
    lookup->compared = static_cast<int>(values.size());
  } else if (lookup->kind == TableLookup::Kind::kValue) {
    if (items.size() != 1) throw SqlError(e.at, "a query used as a value has one column");
    if (items[0]->type.kind == Kind::kNull) items[0] = MakeCast(items[0], Varchar(), e.at);
    bound->type = items[0]->type;
    keys.push_back(items[0]);
  }

  auto plan = std::make_shared<Plan>();
  plan->kind = Plan::Kind::kProject;
  plan->at = e.at;
  plan->streaming = false;
  for (const ExprPtr& part : inside) plan->filter = MakeAnd(plan->filter, part);
  for (const ExprPtr& key : keys) plan->columns.push_back({"KEY", key->type, false, nullptr});
  plan->expressions = std::move(keys);
  plan->inputs.push_back(std::move(rows));
  lookup->plan = plan;
  catalog_.lookups.push_back(lookup);
  bound->lookup = std::move(lookup);
  return bound;
}

}  // namespace millstream::sql::internal
