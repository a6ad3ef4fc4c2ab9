package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Runs statements: one rendering, on one thread. */
final class Interpreter {
    /** How a list of statements ended. */
    private enum Flow {
        NORMAL,
        BREAK,
        CONTINUE
    }

    private final Budget budget;
    private final Evaluator evaluator;
    private final Scope top;
    private Str.Builder out = new Str.Builder();

    /** Runs statements whose outermost names are those of {@code top}. */
    Interpreter(Budget budget, Scope top) {
        this.budget = budget;
        this.evaluator = new Evaluator(budget);
        this.top = top;
    }

    Str render(List<Stmt> body) {
        run(body, top);
        return out.build();
    }

    /** What {@code self} is: the named blocks, to be called. */
    Namespace self(Map<String, Stmt.NamedBlock> blocks) {
        var self = new Namespace();
        blocks.forEach((name, block) ->
                self.attributes().put(name, (Callable) _ -> capture(block.body(), top.inner())));
        return self;
    }

    /** What statements print, as a value. */
    Str capture(List<Stmt> body, Scope scope) {
        Str.Builder outer = out;
        out = new Str.Builder();
        run(body, scope);
        Str captured = out.build();
        out = outer;
        return captured;
    }

    Object evaluate(Expr expr, Scope scope) {
        return evaluator.evaluate(expr, scope);
    }

    private Flow run(List<Stmt> body, Scope scope) {
        budget.nest();
        Flow flow = Flow.NORMAL;
        for (int i = 0; i < body.size() && flow == Flow.NORMAL; i++) {
            budget.step();
            flow = run(body.get(i), scope);
        }
        budget.unnest();
        return flow;
    }

    private Flow run(Stmt stmt, Scope scope) {
        return switch (stmt) {
            case Stmt.Text text -> print(text.text());
            case Stmt.Print print ->
                    at(print.line(), () -> print(Repr.str(evaluate(print.value(), scope), budget)));
            case Stmt.If branches -> runIf(branches, scope);
            case Stmt.For loop -> runFor(loop, scope);
            case Stmt.Set set ->
                    at(set.line(), () -> assign(set.target(), evaluate(set.value(), scope), scope));
            case Stmt.SetBlock set -> at(set.line(), () -> setBlock(set, scope));
            case Stmt.FilterBlock filter ->
                    at(
                            filter.line(),
                            () ->
                                    print(
                                            Repr.str(
                                                    evaluator.filterBlock(
                                                            filter.filter(),
                                                            capture(filter.body(), scope.inner()),
                                                            scope),
                                                    budget)));
            case Stmt.Macro macro -> {
                scope.set(macro.code().name(), new Macro(macro.code(), scope, this));
                yield Flow.NORMAL;
            }
            case Stmt.CallBlock call -> at(call.line(), () -> callBlock(call, scope));
            case Stmt.With with -> runWith(with, scope);
            case Stmt.Block block -> run(block.body(), scope.inner());
            case Stmt.NamedBlock block ->
                    run(block.body(), block.isScoped() ? scope.inner() : top.inner());
            case Stmt.Refused refused ->
                    at(
                            refused.line(),
                            () -> {
                                throw new TemplateException(refused.reason());
                            });
            case Stmt.Break _ -> Flow.BREAK;
            case Stmt.Continue _ -> Flow.CONTINUE;
        };
    }

    private interface Step {
        Flow run();
    }

    private static Flow at(int line, Step step) {
        try {
            return step.run();
        } catch (TemplateException e) {
            throw e.atLine(line);
        }
    }

    private Flow print(Str text) {
        budget.text((long) text.text().length());
        budget.bound((long) out.length() + text.text().length());
        out.append(text);
        return Flow.NORMAL;
    }

    private Flow runIf(Stmt.If branches, Scope scope) {
        for (Stmt.Branch branch : branches.branches()) {
            boolean[] holds = {false};
            at(
                    branches.line(),
                    () -> {
                        holds[0] = Operators.isTrue(evaluate(branch.test(), scope));
                        return Flow.NORMAL;
                    });
            if (holds[0]) {
                return run(branch.body(), scope);
            }
        }
        return run(branches.otherwise(), scope);
    }

    private Flow runFor(Stmt.For loop, Scope scope) {
        return at(
                loop.line(),
                () -> {
                    loop(loop, evaluate(loop.items(), scope), scope, 0);
                    return Flow.NORMAL;
                });
    }

    private void loop(Stmt.For loop, Object iterable, Scope scope, int depth) {
        List<Object> items = kept(loop, Operators.items(iterable, budget), scope);
        Callable again =
                loop.recursive()
                        ? arguments ->
                                recurse(loop, arguments.required(0, "iterable"), scope, depth + 1)
                        : null;
        var state = new LoopState(items, depth, again);
        // As in Jinja2: else is for a loop of which no round came to its end.
        boolean anyEnded = false;
        for (Object item : items) {
            state.advance();
            budget.step();
            Scope inner = scope.inner();
            inner.set("loop", state);
            assign(loop.target(), item, inner);
            Flow flow = run(loop.body(), inner);
            anyEnded |= flow == Flow.NORMAL;
            if (flow == Flow.BREAK) {
                break;
            }
        }
        if (!anyEnded) {
            run(loop.otherwise(), scope.inner());
        }
    }

    private Object recurse(Stmt.For loop, Object iterable, Scope scope, int depth) {
        Str.Builder outer = out;
        out = new Str.Builder();
        loop(loop, iterable, scope, depth);
        Str captured = out.build();
        out = outer;
        return captured;
    }

    private List<Object> kept(Stmt.For loop, List<Object> items, Scope scope) {
        Expr filter = loop.filter();
        if (filter == null) {
            return items;
        }
        var kept = new ArrayList<Object>();
        for (Object item : items) {
            Scope inner = scope.inner();
            assign(loop.target(), item, inner);
            if (Operators.isTrue(evaluate(filter, inner))) {
                kept.add(item);
            }
        }
        return kept;
    }

    private Flow assign(Stmt.Target target, Object value, Scope scope) {
        switch (target) {
            case Stmt.NameTarget name -> scope.set(name.name(), value);
            case Stmt.AttributeTarget attribute -> {
                if (!(scope.find(attribute.namespace()) instanceof Namespace namespace)) {
                    throw new TemplateException(
                            "cannot assign attribute on non-namespace object: name="
                                    + attribute.namespace());
                }
                namespace.attributes().put(attribute.attribute(), value);
            }
            case Stmt.TupleTarget tuple ->
                    unpack(tuple.targets(), Operators.items(value, budget), scope);
        }
        return Flow.NORMAL;
    }

    private void unpack(List<Stmt.Target> targets, List<Object> values, Scope scope) {
        if (targets.size() != values.size()) {
            throw new TemplateException(
                    "cannot unpack: names=" + targets.size() + " values=" + values.size());
        }
        for (int i = 0; i < values.size(); i++) {
            assign(targets.get(i), values.get(i), scope);
        }
    }

    private Flow setBlock(Stmt.SetBlock set, Scope scope) {
        Str body = capture(set.body(), scope.inner());
        @Nullable Expr filter = set.filter();
        return assign(
                set.target(),
                filter == null ? body : evaluator.filterBlock(filter, body, scope),
                scope);
    }

    private Flow callBlock(Stmt.CallBlock call, Scope scope) {
        Arguments arguments = evaluator.arguments(call.call().arguments(), scope);
        var named = new java.util.LinkedHashMap<>(arguments.named());
        named.put("caller", new Macro(call.caller(), scope, this));
        Object function = evaluate(call.call().function(), scope);
        return print(
                Repr.str(
                        evaluator.call(function, new Arguments(arguments.positional(), named)),
                        budget));
    }

    private Flow runWith(Stmt.With with, Scope scope) {
        Scope inner = scope.inner();
        at(
                with.line(),
                () -> {
                    for (Map.Entry<Stmt.Target, Expr> value : with.values()) {
                        assign(value.getKey(), evaluate(value.getValue(), scope), inner);
                    }
                    return Flow.NORMAL;
                });
        return run(with.body(), inner);
    }
}
