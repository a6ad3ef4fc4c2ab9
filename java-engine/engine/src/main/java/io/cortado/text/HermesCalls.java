package io.cortado.text;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads tool calls in the form of Hermes out of the text of an output, as it comes: {@code
 * <tool_call>}, an object of {@code name} and {@code arguments} in this order, {@code
 * </tool_call>}, with text before and between. White space beside calls is dropped. However the
 * text is cut, the parts join to the same.
 */
public final class HermesCalls {
    public static final String OPEN = "<tool_call>";
    public static final String CLOSE = "</tool_call>";

    private static final String S = "\\s{0,64}";

    private static final Pattern HEAD =
            Pattern.compile(
                    S
                            + "\\{"
                            + S
                            + "\"name\""
                            + S
                            + ":"
                            + S
                            + "\"([a-zA-Z0-9_-]{1,64})\""
                            + S
                            + ","
                            + S
                            + "\"arguments\""
                            + S
                            + ":"
                            + S
                            + "(?=\\{)");

    /** A longer beginning is no call. */
    private static final int MAX_HEAD = 1024;

    /** What comes of the text. */
    public sealed interface Part {
        /** No part of a call. */
        record Text(String text) implements Part {}

        /** Call {@code index}, from 0 on, begins. */
        record Opened(int index, String name) implements Part {}

        /** More of its arguments' JSON. */
        record Arguments(int index, String json) implements Part {}
    }

    private enum State {
        TEXT,
        /** Up to the arguments. */
        HEAD,
        ARGUMENTS,
        /** Behind the arguments. */
        TAIL
    }

    private final StringBuilder held = new StringBuilder();
    private State state = State.TEXT;
    private int calls;

    /** Text has come since the last call. */
    private boolean hasTextSinceCall;

    // Of the arguments.
    private int depth;
    private boolean isString;
    private boolean isEscaped;

    public HermesCalls() {}

    /** Calls that have begun. */
    public int calls() {
        return calls;
    }

    /** The parts that are certain after more text. */
    public List<Part> feed(String text) {
        List<Part> parts = new ArrayList<>();
        held.append(text);
        boolean goesOn = true;
        while (goesOn) {
            goesOn =
                    switch (state) {
                        case TEXT -> text(parts);
                        case HEAD -> head(parts);
                        case ARGUMENTS -> arguments(parts);
                        case TAIL -> tail();
                    };
        }
        return parts;
    }

    /** What is held back of text, when no more follows; a call that is cut has no more. */
    public List<Part> flush() {
        boolean isText = state == State.TEXT && !(calls > 0 && held.toString().isBlank());
        List<Part> parts = isText ? parts(held.toString()) : List.of();
        held.setLength(0);
        return parts;
    }

    private static List<Part> parts(String text) {
        return text.isEmpty() ? List.of() : List.of(new Part.Text(text));
    }

    private boolean text(List<Part> parts) {
        if (calls > 0 && !hasTextSinceCall) {
            held.delete(0, held.length() - held.toString().stripLeading().length());
        }
        int at = held.indexOf(OPEN);
        if (at < 0) {
            int certain = HeldBack.from(held, OPEN);
            parts.addAll(parts(held.substring(0, certain)));
            hasTextSinceCall |= certain > 0;
            held.delete(0, certain);
            return false;
        }
        parts.addAll(parts(held.substring(0, at).stripTrailing()));
        held.delete(0, at + OPEN.length());
        state = State.HEAD;
        return true;
    }

    private boolean head(List<Part> parts) {
        Matcher matcher = HEAD.matcher(held);
        if (matcher.lookingAt()) {
            parts.add(new Part.Opened(calls++, matcher.group(1)));
            held.delete(0, matcher.end());
            depth = 0;
            state = State.ARGUMENTS;
            return true;
        }
        if (held.length() > MAX_HEAD || held.indexOf(CLOSE) >= 0) {
            parts.addAll(parts(OPEN)); // no call: it is text as it stands
            hasTextSinceCall = true;
            state = State.TEXT;
            return true;
        }
        return false;
    }

    private boolean arguments(List<Part> parts) {
        for (int i = 0; i < held.length(); i++) {
            if (endsWith(held.charAt(i))) {
                give(i + 1, parts);
                state = State.TAIL;
                return true;
            }
        }
        give(held.length(), parts);
        return false;
    }

    /** True if the object ends here. */
    private boolean endsWith(char c) {
        if (isEscaped) {
            isEscaped = false;
        } else if (isString) {
            isEscaped = c == '\\';
            isString = c != '"';
        } else if (c == '"') {
            isString = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        return depth == 0;
    }

    private void give(int chars, List<Part> parts) {
        if (chars > 0) {
            parts.add(new Part.Arguments(calls - 1, held.substring(0, chars)));
            held.delete(0, chars);
        }
    }

    private boolean tail() {
        int at = held.indexOf(CLOSE);
        if (at < 0) {
            return false;
        }
        held.delete(0, at + CLOSE.length());
        hasTextSinceCall = false;
        state = State.TEXT;
        return true;
    }
}
