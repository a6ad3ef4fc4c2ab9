package io.cortado.server;

import org.jspecify.annotations.Nullable;

/**
 * Writes JSON text, commas included. Every string it gives is valid JSON: a lone surrogate becomes
 * U+FFFD and a number that is not finite becomes -9999.0, as the OpenAI API has it for logprobs.
 */
public final class JsonOut {
    private static final char[] HEX = "0123456789abcdef".toCharArray();

    private final StringBuilder text = new StringBuilder(256);
    private boolean first = true;

    public JsonOut() {}

    public JsonOut open() {
        comma();
        text.append('{');
        first = true;
        return this;
    }

    public JsonOut close() {
        text.append('}');
        first = false;
        return this;
    }

    public JsonOut openArray() {
        comma();
        text.append('[');
        first = true;
        return this;
    }

    public JsonOut closeArray() {
        text.append(']');
        first = false;
        return this;
    }

    public JsonOut name(String name) {
        comma();
        quote(name);
        text.append(':');
        first = true;
        return this;
    }

    public JsonOut value(@Nullable String value) {
        comma();
        if (value == null) {
            text.append("null");
        } else {
            quote(value);
        }
        return this;
    }

    public JsonOut value(long value) {
        comma();
        text.append(value);
        return this;
    }

    public JsonOut value(double value) {
        comma();
        text.append(Double.isFinite(value) ? value : -9999.0);
        return this;
    }

    public JsonOut value(float value) {
        comma();
        text.append(Float.isFinite(value) ? value : -9999.0f);
        return this;
    }

    public JsonOut value(boolean value) {
        comma();
        text.append(value);
        return this;
    }

    public JsonOut nullValue() {
        return value((String) null);
    }

    public JsonOut field(String name, @Nullable String value) {
        return name(name).value(value);
    }

    public JsonOut field(String name, long value) {
        return name(name).value(value);
    }

    public JsonOut ints(int[] values) {
        openArray();
        for (int value : values) {
            value(value);
        }
        return closeArray();
    }

    /** Appends text that is JSON already, as one value. */
    public JsonOut raw(String json) {
        comma();
        text.append(json);
        return this;
    }

    private void comma() {
        if (!first) {
            text.append(',');
        }
        first = false;
    }

    private void quote(String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c >= 0x20 && c != '"' && c != '\\' && !Character.isSurrogate(c)) {
                text.append(c);
            } else if (isPair(value, i)) {
                text.append(c).append(value.charAt(++i));
            } else {
                escape(c);
            }
        }
        text.append('"');
    }

    private static boolean isPair(String value, int i) {
        return i + 1 < value.length()
                && Character.isSurrogatePair(value.charAt(i), value.charAt(i + 1));
    }

    private void escape(char c) {
        switch (c) {
            case '"' -> text.append("\\\"");
            case '\\' -> text.append("\\\\");
            case '\n' -> text.append("\\n");
            case '\r' -> text.append("\\r");
            case '\t' -> text.append("\\t");
            default -> {
                char shown = Character.isSurrogate(c) ? '\ufffd' : c;
                text.append("\\u")
                        .append(HEX[shown >> 12])
                        .append(HEX[(shown >> 8) & 15])
                        .append(HEX[(shown >> 4) & 15])
                        .append(HEX[shown & 15]);
            }
        }
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
