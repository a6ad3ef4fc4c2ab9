package io.cortado.text.jinja;

import java.util.List;

/** A cursor over the tokens of a template, and the bound on how deep they nest. */
final class Tokens {
    private static final int MAX_NESTING = 120;

    private final List<Token> tokens;
    private int at;
    private int nesting;

    Tokens(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token current() {
        return tokens.get(at);
    }

    Token ahead() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    Token next() {
        Token token = tokens.get(at);
        if (at < tokens.size() - 1) {
            at++;
        }
        return token;
    }

    boolean skipOperator(String operator) {
        boolean here = current().isOperator(operator);
        if (here) {
            next();
        }
        return here;
    }

    boolean skipName(String name) {
        boolean here = current().isName(name);
        if (here) {
            next();
        }
        return here;
    }

    void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw error("expected token '" + operator + "', got " + current().describe());
        }
    }

    Token expect(Token.Kind kind, String what) {
        if (current().kind() != kind) {
            throw error("expected " + what + ", got " + current().describe());
        }
        return next();
    }

    void enter() {
        if (++nesting > MAX_NESTING) {
            throw TemplateException.budget("template nested too deep: limit=" + MAX_NESTING)
                    .atLine(current().line());
        }
    }

    void leave() {
        nesting--;
    }

    TemplateException error(String message) {
        return new TemplateException("template syntax: " + message).atLine(current().line());
    }
}
