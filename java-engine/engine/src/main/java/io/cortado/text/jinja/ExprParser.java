package io.cortado.text.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses expressions by the grammar of Jinja2, whose precedence is not quite Python's. */
final class ExprParser {
    private static final int MAX_CHAIN = 500;
    private static final int MAX_DIGITS = 1000;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final Tokens tokens;
    private final Set<String> names = new HashSet<>();
    private final List<TemplateException> unknown = new ArrayList<>();

    ExprParser(Tokens tokens) {
        this.tokens = tokens;
    }

    /**
     * Every name read so far: a macro takes caller, varargs and kwargs only if it mentions them.
     */
    Set<String> names() {
        return names;
    }

    /**
     * Filters and tests so far that do not exist. They fail the template here, except inside
     * conditions and what depends on them, where they fail when they run: as in Jinja2.
     */
    List<TemplateException> unknown() {
        return unknown;
    }

    Expr expression() {
        tokens.enter();
        Expr expr = condition();
        tokens.leave();
        return expr;
    }

    /** An expression, or several with commas between them. */
    Expr tuple(boolean withCondition) {
        var items = new ArrayList<Expr>();
        boolean isTuple = false;
        while (!atTupleEnd()) {
            tokens.enter();
            items.add(withCondition ? condition() : or());
            tokens.leave();
            if (!tokens.skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (items.isEmpty() && !isTuple) {
            throw tokens.error("expected an expression, got " + tokens.current().describe());
        }
        return isTuple ? new Expr.TupleOf(List.copyOf(items)) : items.getFirst();
    }

    private boolean atTupleEnd() {
        Token token = tokens.current();
        return token.kind() == Token.Kind.BLOCK_END
                || token.kind() == Token.Kind.VARIABLE_END
                || token.isOperator(")")
                || token.isName("recursive");
    }

    private Expr condition() {
        int before = unknown.size();
        Expr expr = or();
        for (int chain = 0; tokens.skipName("if"); chain++) {
            bound(chain);
            Expr test = or();
            Expr otherwise = null;
            if (tokens.skipName("else")) {
                tokens.enter();
                otherwise = condition();
                tokens.leave();
            }
            expr = new Expr.Condition(test, expr, otherwise);
            unknown.subList(before, unknown.size()).clear();
        }
        return expr;
    }

    private Expr or() {
        Expr left = and();
        for (int chain = 0; tokens.skipName("or"); chain++) {
            bound(chain);
            left = new Expr.Or(left, and());
        }
        return left;
    }

    private Expr and() {
        Expr left = not();
        for (int chain = 0; tokens.skipName("and"); chain++) {
            bound(chain);
            left = new Expr.And(left, not());
        }
        return left;
    }

    private Expr not() {
        if (tokens.skipName("not")) {
            tokens.enter();
            Expr operand = not();
            tokens.leave();
            return new Expr.Unary("not", operand);
        }
        return compare();
    }

    private Expr compare() {
        Expr first = sum();
        var operators = new ArrayList<String>();
        var others = new ArrayList<Expr>();
        while (true) {
            Token token = tokens.current();
            if (token.kind() == Token.Kind.OPERATOR && COMPARISONS.contains(token.text())) {
                operators.add(tokens.next().text());
            } else if (tokens.skipName("in")) {
                operators.add("in");
            } else if (token.isName("not") && tokens.ahead().isName("in")) {
                tokens.next();
                tokens.next();
                operators.add("not in");
            } else {
                return operators.isEmpty()
                        ? first
                        : new Expr.Compare(first, List.copyOf(operators), List.copyOf(others));
            }
            others.add(sum());
        }
    }

    private Expr sum() {
        Expr left = concat();
        for (int chain = 0;
                tokens.current().isOperator("+") || tokens.current().isOperator("-");
                chain++) {
            bound(chain);
            String operator = tokens.next().text();
            left = new Expr.Binary(operator, left, concat());
        }
        return left;
    }

    private Expr concat() {
        Expr first = product();
        if (!tokens.current().isOperator("~")) {
            return first;
        }
        var parts = new ArrayList<Expr>();
        parts.add(first);
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return new Expr.Concat(List.copyOf(parts));
    }

    private Expr product() {
        Expr left = power();
        for (int chain = 0; isProduct(tokens.current()); chain++) {
            bound(chain);
            String operator = tokens.next().text();
            left = new Expr.Binary(operator, left, power());
        }
        return left;
    }

    private static boolean isProduct(Token token) {
        return token.isOperator("*")
                || token.isOperator("/")
                || token.isOperator("//")
                || token.isOperator("%");
    }

    private Expr power() {
        Expr left = unary(true);
        for (int chain = 0; tokens.skipOperator("**"); chain++) {
            bound(chain);
            left = new Expr.Binary("**", left, unary(true));
        }
        return left;
    }

    private Expr unary(boolean withFilter) {
        tokens.enter();
        Expr expr;
        if (tokens.skipOperator("-")) {
            expr = new Expr.Unary("-", unary(false));
        } else if (tokens.skipOperator("+")) {
            expr = new Expr.Unary("+", unary(false));
        } else {
            expr = postfix(primary());
        }
        if (withFilter) {
            expr = filters(expr);
        }
        tokens.leave();
        return expr;
    }

    private Expr primary() {
        Token token = tokens.next();
        return switch (token.kind()) {
            case NAME -> name(token.text());
            case STRING -> strings(token);
            case INTEGER -> new Expr.Constant(integer(token.text().replace("_", "")));
            case FLOAT -> new Expr.Constant(Double.valueOf(token.text().replace("_", "")));
            case OPERATOR -> bracketed(token);
            case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, END ->
                    throw unexpected(token);
        };
    }

    private Expr name(String name) {
        return switch (name) {
            case "true", "True" -> new Expr.Constant(true);
            case "false", "False" -> new Expr.Constant(false);
            case "none", "None" -> new Expr.Constant(None.NONE);
            default -> {
                names.add(name);
                yield new Expr.Name(name);
            }
        };
    }

    private Expr strings(Token first) {
        var text = new StringBuilder(first.text());
        while (tokens.current().kind() == Token.Kind.STRING) {
            text.append(tokens.next().text());
        }
        return new Expr.Constant(Str.literal(text.toString()));
    }

    private Object integer(String digits) {
        int radix =
                switch (digits.length() > 1 ? digits.charAt(1) : '0') {
                    case 'x', 'X' -> 16;
                    case 'o', 'O' -> 8;
                    case 'b', 'B' -> 2;
                    default -> 10;
                };
        if (digits.length() > MAX_DIGITS) {
            throw tokens.error(
                    "integer too long: digits=" + digits.length() + " limit=" + MAX_DIGITS);
        }
        try {
            return Numerals.small(
                    new BigInteger(radix == 10 ? digits : digits.substring(2), radix));
        } catch (NumberFormatException e) {
            throw tokens.error("malformed integer: digits=" + digits.length());
        }
    }

    private Expr bracketed(Token token) {
        return switch (token.text()) {
            case "(" -> {
                if (tokens.skipOperator(")")) {
                    yield new Expr.TupleOf(List.of());
                }
                Expr expr = tuple(true);
                tokens.expectOperator(")");
                yield expr;
            }
            case "[" -> {
                var items = new ArrayList<Expr>();
                while (!tokens.skipOperator("]")) {
                    items.add(expression());
                    if (!tokens.current().isOperator("]")) {
                        tokens.expectOperator(",");
                    }
                }
                yield new Expr.ListOf(List.copyOf(items));
            }
            case "{" -> {
                var entries = new ArrayList<Map.Entry<Expr, Expr>>();
                while (!tokens.skipOperator("}")) {
                    Expr key = expression();
                    tokens.expectOperator(":");
                    entries.add(Map.entry(key, expression()));
                    if (!tokens.current().isOperator("}")) {
                        tokens.expectOperator(",");
                    }
                }
                yield new Expr.DictOf(List.copyOf(entries));
            }
            default -> throw unexpected(token);
        };
    }

    private Expr postfix(Expr start) {
        Expr expr = start;
        for (int chain = 0; ; chain++) {
            bound(chain);
            if (tokens.skipOperator(".")) {
                Token name = tokens.next();
                if (name.kind() == Token.Kind.NAME) {
                    expr = new Expr.Attribute(expr, name.text());
                } else if (name.kind() == Token.Kind.INTEGER) {
                    expr = new Expr.Item(expr, new Expr.Constant(integer(name.text())));
                } else {
                    throw tokens.error("expected name or number after '.', got " + name.describe());
                }
            } else if (tokens.skipOperator("[")) {
                expr = subscript(expr);
                tokens.expectOperator("]");
            } else if (tokens.current().isOperator("(")) {
                expr = new Expr.Call(expr, arguments());
            } else {
                return expr;
            }
        }
    }

    private Expr subscript(Expr object) {
        if (tokens.current().isOperator("]")) {
            return new Expr.Item(object, new Expr.TupleOf(List.of()));
        }
        Expr start = null;
        if (!tokens.current().isOperator(":")) {
            start = expression();
            if (tokens.current().isOperator(",")) {
                var items = new ArrayList<Expr>(List.of(start));
                while (tokens.skipOperator(",")) {
                    items.add(expression());
                }
                return new Expr.Item(object, new Expr.TupleOf(List.copyOf(items)));
            }
            if (!tokens.current().isOperator(":")) {
                return new Expr.Item(object, start);
            }
        }
        tokens.expectOperator(":");
        Expr stop = sliceBound();
        Expr step = tokens.skipOperator(":") ? sliceBound() : null;
        return new Expr.Slice(object, start, stop, step);
    }

    private @Nullable Expr sliceBound() {
        return tokens.current().isOperator(":") || tokens.current().isOperator("]")
                ? null
                : expression();
    }

    Expr.CallArguments arguments() {
        tokens.expectOperator("(");
        var positional = new ArrayList<Expr>();
        var named = new LinkedHashMap<String, Expr>();
        Expr rest = null;
        Expr namedRest = null;
        while (!tokens.skipOperator(")")) {
            if (namedRest == null && tokens.skipOperator("**")) {
                namedRest = expression();
            } else if (rest == null && namedRest == null && tokens.skipOperator("*")) {
                rest = expression();
            } else if (namedRest == null
                    && tokens.current().kind() == Token.Kind.NAME
                    && tokens.ahead().isOperator("=")) {
                String name = tokens.next().text();
                tokens.next();
                if (named.put(name, expression()) != null) {
                    throw tokens.error("keyword argument repeated: name=" + name);
                }
            } else if (named.isEmpty() && rest == null && namedRest == null) {
                positional.add(expression());
            } else {
                throw tokens.error("invalid order of a call's arguments");
            }
            if (!tokens.current().isOperator(")")) {
                tokens.expectOperator(",");
            }
        }
        return new Expr.CallArguments(List.copyOf(positional), named, rest, namedRest);
    }

    private Expr filters(Expr start) {
        Expr expr = start;
        for (int chain = 0; ; chain++) {
            bound(chain);
            if (tokens.current().isOperator("|")) {
                expr = filter(expr);
            } else if (tokens.skipName("is")) {
                expr = test(expr);
            } else if (tokens.current().isOperator("(")) {
                expr = new Expr.Call(expr, arguments());
            } else {
                return expr;
            }
        }
    }

    private Expr filter(Expr input) {
        tokens.expectOperator("|");
        return filterCall(input);
    }

    /** The filters of a filter block or a set block, whose input is the block's text. */
    Expr blockFilters() {
        Expr expr = filterCall(null);
        while (tokens.current().isOperator("|")) {
            expr = filter(expr);
        }
        return expr;
    }

    private Expr filterCall(@Nullable Expr input) {
        String name = dottedName("filter");
        if (!Filters.isKnown(name)) {
            unknown.add(tokens.error("no filter named '" + name + "'"));
        }
        return new Expr.Filter(
                input,
                name,
                tokens.current().isOperator("(") ? arguments() : Expr.CallArguments.NONE);
    }

    private Expr test(Expr input) {
        boolean negated = tokens.skipName("not");
        String name = dottedName("test");
        if (!Tests.NAMES.contains(name)) {
            unknown.add(tokens.error("no test named '" + name + "'"));
        }
        Expr.CallArguments arguments = Expr.CallArguments.NONE;
        Token token = tokens.current();
        if (token.isOperator("(")) {
            arguments = arguments();
        } else if (startsTestArgument(token)) {
            if (token.isName("is")) {
                throw tokens.error("tests cannot be chained with is");
            }
            arguments = new Expr.CallArguments(List.of(postfix(primary())), Map.of(), null, null);
        }
        Expr test = new Expr.Test(input, name, arguments);
        return negated ? new Expr.Unary("not", test) : test;
    }

    private static boolean startsTestArgument(Token token) {
        return switch (token.kind()) {
            case NAME ->
                    !token.isName("else")
                            && !token.isName("or")
                            && !token.isName("and")
                            && !token.isName("if")
                            && !token.isName("in")
                            && !token.isName("not");
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.isOperator("[") || token.isOperator("{");
            case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, END -> false;
        };
    }

    private String dottedName(String what) {
        var name =
                new StringBuilder(tokens.expect(Token.Kind.NAME, "a " + what + "'s name").text());
        while (tokens.skipOperator(".")) {
            name.append('.').append(tokens.expect(Token.Kind.NAME, "a " + what + "'s name").text());
        }
        return name.toString();
    }

    private void bound(int chain) {
        if (chain > MAX_CHAIN) {
            throw TemplateException.budget(
                            "expression too long: operators=" + chain + " limit=" + MAX_CHAIN)
                    .atLine(tokens.current().line());
        }
    }

    private TemplateException unexpected(Token token) {
        return new TemplateException("template syntax: unexpected " + token.describe())
                .atLine(token.line());
    }
}
