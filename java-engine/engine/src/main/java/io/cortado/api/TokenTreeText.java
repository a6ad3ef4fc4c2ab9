package io.cortado.api;

import java.util.ArrayList;
import java.util.List;

/** Reads a tree of drafts as vLLM writes it: a list of tuples, {@code [(0,), (1,), (0, 0)]}. */
final class TokenTreeText {
    private static final String PARAM = "speculative_token_tree";

    private final String text;
    private int at;

    private TokenTreeText(String text) {
        this.text = text;
    }

    static DraftShape.Fixed parse(String text) {
        TokenTreeText in = new TokenTreeText(text);
        List<List<Integer>> paths = new ArrayList<>();
        in.take('[');
        while (!in.isNext(']')) {
            paths.add(in.path());
            if (!in.isNext(']')) {
                in.take(',');
            }
        }
        in.take(']');
        if (in.peek() != 0) {
            throw in.wrong();
        }
        return new DraftShape.Fixed(paths);
    }

    private List<Integer> path() {
        List<Integer> path = new ArrayList<>();
        take('(');
        while (!isNext(')')) {
            path.add(number());
            if (!isNext(')')) {
                take(',');
            }
        }
        take(')');
        return path;
    }

    private int number() {
        peek();
        int first = at;
        while (at < text.length() && Character.isDigit(text.charAt(at)) && at - first < 4) {
            at++;
        }
        if (at == first) {
            throw wrong();
        }
        return Integer.parseInt(text, first, at, 10);
    }

    /** The next that is no space; 0 at the end. */
    private char peek() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
        return at < text.length() ? text.charAt(at) : 0;
    }

    private boolean isNext(char c) {
        return peek() == c;
    }

    private void take(char c) {
        if (peek() != c) {
            throw wrong();
        }
        at++;
    }

    private EngineException wrong() {
        return EngineException.invalid(
                PARAM,
                "%s must be a list of tuples like [(0,), (1,), (0, 0)]: %s at %d"
                        .formatted(PARAM, text, at));
    }
}
