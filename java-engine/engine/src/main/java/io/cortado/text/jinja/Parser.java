package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Parses statements. */
final class Parser {
    private final Tokens tokens;
    private final ExprParser expressions;
    private final Map<String, Stmt.NamedBlock> blocks = new HashMap<>();

    /** Loops that a break would end. */
    private int loops;

    /** Loops around, also those outside a macro. */
    private int outerLoops;

    /** A template's statements, and its blocks by name. */
    record Parsed(List<Stmt> body, Map<String, Stmt.NamedBlock> blocks) {}

    private Parser(Tokens tokens) {
        this.tokens = tokens;
        this.expressions = new ExprParser(tokens);
    }

    static Parsed parse(String source, TemplateOptions options) {
        var tokens = new Tokens(new Lexer(source, options).tokenize());
        var parser = new Parser(tokens);
        List<Stmt> body = parser.body(Set.of(), "template");
        if (tokens.current().kind() != Token.Kind.END) {
            throw tokens.error("unexpected " + tokens.current().describe());
        }
        parser.failUnknown(0);
        return new Parsed(body, Map.copyOf(parser.blocks));
    }

    private void failUnknown(int before) {
        if (expressions.unknown().size() > before) {
            throw expressions.unknown().get(before);
        }
    }

    /** Statements up to one of the tags {@code ends}, whose name is the current token then. */
    private List<Stmt> body(Set<String> ends, String owner) {
        tokens.enter();
        var body = new ArrayList<Stmt>();
        while (true) {
            Token token = tokens.current();
            switch (token.kind()) {
                case DATA -> body.add(new Stmt.Text(Str.literal(tokens.next().text())));
                case VARIABLE_BEGIN -> {
                    tokens.next();
                    body.add(new Stmt.Print(expressions.tuple(true), token.line()));
                    tokens.expect(Token.Kind.VARIABLE_END, "end of print statement");
                }
                case BLOCK_BEGIN -> {
                    tokens.next();
                    Token tag = tokens.current();
                    if (tag.kind() == Token.Kind.NAME && ends.contains(tag.text())) {
                        tokens.leave();
                        return List.copyOf(body);
                    }
                    body.add(statement(tokens.expect(Token.Kind.NAME, "a tag's name")));
                }
                case END -> {
                    if (!ends.isEmpty()) {
                        throw tokens.error("unterminated " + owner + ", expected one of " + ends);
                    }
                    tokens.leave();
                    return List.copyOf(body);
                }
                case VARIABLE_END, BLOCK_END, NAME, STRING, INTEGER, FLOAT, OPERATOR ->
                        throw tokens.error("unexpected " + token.describe());
            }
        }
    }

    private Stmt statement(Token tag) {
        return switch (tag.text()) {
            case "if" -> ifStatement(tag.line());
            case "for" -> strict(() -> forStatement(tag.line()));
            case "set" -> setStatement(tag.line());
            case "macro" -> strict(this::macro);
            case "call" -> strict(() -> callBlock(tag.line()));
            case "filter" -> strict(() -> filterBlock(tag.line()));
            case "with" -> strict(() -> with(tag.line()));
            case "print" -> print(tag.line());
            case "block" -> strict(this::block);
            case "autoescape" -> autoEscape();
            case "generation" -> {
                endTag();
                int around = loops;
                loops = 0;
                List<Stmt> body = body(Set.of("endgeneration"), "generation");
                loops = around;
                endBlock();
                yield new Stmt.Block(body);
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw tokens.error(tag.text() + " outside of a loop");
                }
                endTag();
                yield tag.text().equals("break") ? new Stmt.Break() : new Stmt.Continue();
            }
            case "include", "import", "from", "extends" -> otherTemplate(tag);
            default -> throw tokens.error("unknown tag: name=" + tag.text());
        };
    }

    /** A statement in which unknown filters fail the template even inside a condition. */
    private Stmt strict(Supplier<Stmt> parse) {
        int before = expressions.unknown().size();
        Stmt stmt = parse.get();
        failUnknown(before);
        return stmt;
    }

    private Stmt print(int line) {
        Expr value = expressions.tuple(true);
        endTag();
        List<Expr> parts = value instanceof Expr.TupleOf tuple ? tuple.items() : List.of(value);
        return new Stmt.Print(new Expr.Concat(parts), line);
    }

    private Stmt block() {
        String name = tokens.expect(Token.Kind.NAME, "a block's name").text();
        boolean isScoped = tokens.skipName("scoped");
        if (tokens.current().isName("required")) {
            throw tokens.error("a required block needs another template: name=" + name);
        }
        endTag();
        int around = loops;
        loops = 0;
        List<Stmt> body = body(Set.of("endblock"), "block");
        loops = around;
        tokens.next();
        if (tokens.current().kind() == Token.Kind.NAME && !tokens.skipName(name)) {
            throw tokens.error("endblock must name its block: expected=" + name);
        }
        endTag();
        var block = new Stmt.NamedBlock(name, body, isScoped);
        if (blocks.put(name, block) != null) {
            throw tokens.error("block defined twice: name=" + name);
        }
        return block;
    }

    private Stmt autoEscape() {
        if (!(expressions.expression() instanceof Expr.Constant(Boolean on)) || on) {
            throw tokens.error("autoescape can only be false: a prompt is no HTML");
        }
        endTag();
        List<Stmt> body = body(Set.of("endautoescape"), "autoescape");
        endBlock();
        return new Stmt.Block(body);
    }

    /** Transformers has no loader either: such a tag fails when it runs. */
    private Stmt otherTemplate(Token tag) {
        while (tokens.current().kind() != Token.Kind.BLOCK_END) {
            if (tokens.current().kind() == Token.Kind.END) {
                throw tokens.error("unterminated " + tag.text());
            }
            tokens.next();
        }
        endTag();
        return new Stmt.Refused(
                "tag '" + tag.text() + "' needs other templates, and there are none", tag.line());
    }

    private Stmt ifStatement(int line) {
        int before = expressions.unknown().size();
        Stmt.If stmt = branches(line);
        expressions.unknown().subList(before, expressions.unknown().size()).clear();
        return stmt;
    }

    private Stmt.If branches(int line) {
        var branches = new ArrayList<Stmt.Branch>();
        List<Stmt> otherwise = List.of();
        while (true) {
            Expr test = expressions.tuple(false);
            endTag();
            List<Stmt> body = body(Set.of("elif", "else", "endif"), "if");
            branches.add(new Stmt.Branch(test, body));
            if (tokens.skipName("elif")) {
                continue;
            }
            if (tokens.skipName("else")) {
                endTag();
                otherwise = body(Set.of("endif"), "if");
            }
            endBlock();
            return new Stmt.If(List.copyOf(branches), otherwise, line);
        }
    }

    private Stmt forStatement(int line) {
        Stmt.Target target = target();
        if (!tokens.skipName("in")) {
            throw tokens.error("expected 'in', got " + tokens.current().describe());
        }
        Expr items = expressions.tuple(false);
        Expr filter = tokens.skipName("if") ? expressions.expression() : null;
        boolean recursive = tokens.skipName("recursive");
        endTag();
        loops++;
        outerLoops++;
        List<Stmt> body = body(Set.of("endfor", "else"), "for");
        loops--;
        outerLoops--;
        List<Stmt> otherwise = List.of();
        if (tokens.skipName("else")) {
            endTag();
            otherwise = body(Set.of("endfor"), "for");
        }
        endBlock();
        return new Stmt.For(target, items, filter, body, otherwise, recursive, line);
    }

    private Stmt setStatement(int line) {
        Stmt.Target target = target();
        if (tokens.skipOperator("=")) {
            Expr value = expressions.tuple(true);
            endTag();
            return new Stmt.Set(target, value, line);
        }
        int before = expressions.unknown().size();
        Expr filter = tokens.skipOperator("|") ? expressions.blockFilters() : null;
        endTag();
        List<Stmt> body = body(Set.of("endset"), "set");
        endBlock();
        failUnknown(before);
        return new Stmt.SetBlock(target, filter, body, line);
    }

    private Stmt macro() {
        String name = tokens.expect(Token.Kind.NAME, "a macro's name").text();
        return new Stmt.Macro(macroCode(name, "endmacro"));
    }

    private Stmt callBlock(int line) {
        var parameters = new ArrayList<String>();
        var defaults = new HashMap<String, Expr>();
        if (tokens.current().isOperator("(")) {
            parameters(parameters, defaults);
        }
        if (!(expressions.expression() instanceof Expr.Call call)) {
            throw tokens.error("invalid call block, expected a call");
        }
        Stmt.MacroCode caller = macroBody("caller", parameters, defaults, "endcall");
        return new Stmt.CallBlock(caller, call, line);
    }

    private Stmt.MacroCode macroCode(String name, String end) {
        var parameters = new ArrayList<String>();
        var defaults = new HashMap<String, Expr>();
        parameters(parameters, defaults);
        return macroBody(name, parameters, defaults, end);
    }

    private Stmt.MacroCode macroBody(
            String name, List<String> parameters, Map<String, Expr> defaults, String end) {
        endTag();
        var outerNames = new HashSet<>(expressions.names());
        expressions.names().clear();
        int around = loops;
        loops = 0;
        List<Stmt> body = body(Set.of(end), name);
        loops = around;
        endBlock();
        if (expressions.names().contains("caller")
                && parameters.contains("caller")
                && !defaults.containsKey("caller")) {
            throw tokens.error("a parameter named caller needs a default: macro=" + name);
        }
        var code =
                new Stmt.MacroCode(
                        name,
                        List.copyOf(parameters),
                        Map.copyOf(defaults),
                        body,
                        expressions.names().contains("varargs"),
                        expressions.names().contains("kwargs"),
                        expressions.names().contains("caller"));
        expressions.names().addAll(outerNames);
        return code;
    }

    private void parameters(List<String> parameters, Map<String, Expr> defaults) {
        tokens.expectOperator("(");
        while (!tokens.skipOperator(")")) {
            String parameter = tokens.expect(Token.Kind.NAME, "a parameter's name").text();
            parameters.add(parameter);
            if (tokens.skipOperator("=")) {
                defaults.put(parameter, expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw tokens.error(
                        "parameter without a default after one that has it: name=" + parameter);
            }
            if (!tokens.current().isOperator(")")) {
                tokens.expectOperator(",");
            }
        }
    }

    private Stmt filterBlock(int line) {
        Expr filter = expressions.blockFilters();
        endTag();
        List<Stmt> body = body(Set.of("endfilter"), "filter");
        endBlock();
        return new Stmt.FilterBlock(filter, body, line);
    }

    private Stmt with(int line) {
        var values = new ArrayList<Map.Entry<Stmt.Target, Expr>>();
        while (tokens.current().kind() != Token.Kind.BLOCK_END) {
            Stmt.Target target = target();
            tokens.expectOperator("=");
            values.add(Map.entry(target, expressions.expression()));
            if (tokens.current().kind() != Token.Kind.BLOCK_END) {
                tokens.expectOperator(",");
            }
        }
        endTag();
        List<Stmt> body = body(Set.of("endwith"), "with");
        endBlock();
        return new Stmt.With(List.copyOf(values), body, line);
    }

    private Stmt.Target target() {
        var targets = new ArrayList<Stmt.Target>();
        boolean isTuple = false;
        while (true) {
            targets.add(oneTarget());
            if (!tokens.skipOperator(",")) {
                break;
            }
            isTuple = true;
            if (tokens.current().isName("in")
                    || tokens.current().isOperator("=")
                    || tokens.current().isOperator(")")) {
                break;
            }
        }
        return isTuple ? new Stmt.TupleTarget(List.copyOf(targets)) : targets.getFirst();
    }

    private Stmt.Target oneTarget() {
        if (tokens.skipOperator("(")) {
            tokens.enter();
            Stmt.Target inner = target();
            tokens.leave();
            tokens.expectOperator(")");
            return inner;
        }
        String name = tokens.expect(Token.Kind.NAME, "a name to assign to").text();
        if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
            throw tokens.error("cannot assign to " + name);
        }
        if (tokens.skipOperator(".")) {
            return new Stmt.AttributeTarget(
                    name, tokens.expect(Token.Kind.NAME, "an attribute's name").text());
        }
        if (name.equals("loop") && outerLoops > 0) {
            throw tokens.error("cannot assign to loop inside a loop");
        }
        return new Stmt.NameTarget(name);
    }

    /** Ends the opening tag of a statement. */
    private void endTag() {
        tokens.expect(Token.Kind.BLOCK_END, "end of statement block");
    }

    /** Skips the name of the closing tag and ends it. */
    private void endBlock() {
        tokens.next();
        endTag();
    }
}
