package io.cortado.text.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An expression of a compiled template. */
sealed interface Expr {
    record Constant(Object value) implements Expr {}

    record Name(String name) implements Expr {}

    record ListOf(List<Expr> items) implements Expr {}

    record TupleOf(List<Expr> items) implements Expr {}

    record DictOf(List<Map.Entry<Expr, Expr>> entries) implements Expr {}

    record Unary(String operator, Expr operand) implements Expr {}

    record Binary(String operator, Expr left, Expr right) implements Expr {}

    record And(Expr left, Expr right) implements Expr {}

    record Or(Expr left, Expr right) implements Expr {}

    /** {@code a < b <= c}: each operator compares its neighbours, all must hold. */
    record Compare(Expr first, List<String> operators, List<Expr> others) implements Expr {}

    record Concat(List<Expr> parts) implements Expr {}

    record Condition(Expr test, Expr then, @Nullable Expr otherwise) implements Expr {}

    record Attribute(Expr object, String name) implements Expr {}

    record Item(Expr object, Expr key) implements Expr {}

    record Slice(Expr object, @Nullable Expr start, @Nullable Expr stop, @Nullable Expr step)
            implements Expr {}

    record Call(Expr function, CallArguments arguments) implements Expr {}

    /** A filter; without an input inside a filter block, where the block's text is the input. */
    record Filter(@Nullable Expr input, String name, CallArguments arguments) implements Expr {}

    record Test(Expr input, String name, CallArguments arguments) implements Expr {}

    /** What a call is given; {@code rest} and {@code namedRest} stand after one and two stars. */
    record CallArguments(
            List<Expr> positional,
            Map<String, Expr> named,
            @Nullable Expr rest,
            @Nullable Expr namedRest) {
        static final CallArguments NONE = new CallArguments(List.of(), Map.of(), null, null);
    }
}
