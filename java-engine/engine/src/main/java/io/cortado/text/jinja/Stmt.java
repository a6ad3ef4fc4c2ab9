package io.cortado.text.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A statement of a compiled template. */
sealed interface Stmt {
    record Text(Str text) implements Stmt {}

    record Print(Expr value, int line) implements Stmt {}

    record If(List<Branch> branches, List<Stmt> otherwise, int line) implements Stmt {}

    record Branch(Expr test, List<Stmt> body) {}

    record For(
            Target target,
            Expr items,
            @Nullable Expr filter,
            List<Stmt> body,
            List<Stmt> otherwise,
            boolean recursive,
            int line)
            implements Stmt {}

    record Set(Target target, Expr value, int line) implements Stmt {}

    record SetBlock(Target target, @Nullable Expr filter, List<Stmt> body, int line)
            implements Stmt {}

    record FilterBlock(Expr filter, List<Stmt> body, int line) implements Stmt {}

    record Macro(MacroCode code) implements Stmt {}

    record CallBlock(MacroCode caller, Expr.Call call, int line) implements Stmt {}

    record With(List<Map.Entry<Target, Expr>> values, List<Stmt> body, int line) implements Stmt {}

    /** A part of the template with names of its own, such as what a generation tag encloses. */
    record Block(List<Stmt> body) implements Stmt {}

    /** A named block; it sees the template's own names, and those around it only if scoped. */
    record NamedBlock(String name, List<Stmt> body, boolean isScoped) implements Stmt {}

    /** What fails when it runs, as a tag that needs other templates. */
    record Refused(String reason, int line) implements Stmt {}

    record Break() implements Stmt {}

    record Continue() implements Stmt {}

    /** Parameters and body of a macro; the last parameters have the defaults. */
    record MacroCode(
            String name,
            List<String> parameters,
            Map<String, Expr> defaults,
            List<Stmt> body,
            boolean takesVarargs,
            boolean takesKwargs,
            boolean takesCaller) {}

    /** What an assignment writes to. */
    sealed interface Target {}

    record NameTarget(String name) implements Target {}

    record AttributeTarget(String namespace, String attribute) implements Target {}

    record TupleTarget(List<Target> targets) implements Target {}
}
