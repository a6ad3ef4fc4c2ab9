package io.cortado.text.jinja;

/** What Python does with text and Java does otherwise. */
final class Strings {
    private Strings() {}

    /** Python's {@code str.isspace}: Unicode white space and the information separators. */
    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || c == 0x85 || Character.isSpaceChar(c);
    }

    /** An index as Python clips it: negative ones count from the end. */
    static int clip(long index, int length) {
        return (int) Math.clamp(index < 0 ? index + length : index, 0L, (long) length);
    }

    /** The escapes of a string literal. */
    static String unescape(String raw) {
        if (raw.indexOf('\\') < 0) {
            return raw;
        }
        var out = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '\\' || i + 1 >= raw.length()) {
                out.append(c);
                continue;
            }
            char kind = raw.charAt(++i);
            int digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
            if (digits > 0) {
                out.appendCodePoint(hex(raw, i + 1, digits));
                i += digits;
            } else if (kind == 'N' && raw.startsWith("{", i + 1) && raw.indexOf('}', i) > 0) {
                int end = raw.indexOf('}', i);
                out.appendCodePoint(named(raw.substring(i + 2, end)));
                i = end;
            } else if (kind >= '0' && kind <= '7') {
                int end = i;
                while (end < raw.length()
                        && end < i + 3
                        && raw.charAt(end) >= '0'
                        && raw.charAt(end) <= '7') {
                    end++;
                }
                out.append((char) Integer.parseInt(raw.substring(i, end), 8));
                i = end - 1;
            } else {
                out.append(simple(kind));
            }
        }
        return out.toString();
    }

    private static int named(String name) {
        try {
            return Character.codePointOf(name);
        } catch (IllegalArgumentException e) {
            throw new TemplateException(
                    "template syntax: unknown Unicode character name: name=" + name);
        }
    }

    private static String simple(char kind) {
        return switch (kind) {
            case 'n' -> "\n";
            case 't' -> "\t";
            case 'r' -> "\r";
            case 'a' -> "\u0007";
            case 'b' -> "\b";
            case 'f' -> "\f";
            case 'v' -> "\u000B";
            case '\n' -> "";
            case '\\', '\'', '"' -> String.valueOf(kind);
            default -> "\\" + kind;
        };
    }

    private static int hex(String raw, int start, int digits) {
        try {
            int c =
                    Integer.parseInt(
                            raw.substring(start, Math.min(start + digits, raw.length())), 16);
            if (start + digits <= raw.length() && Character.isValidCodePoint(c)) {
                return c;
            }
        } catch (NumberFormatException e) {
            // Falls through to the error, which says more.
        }
        throw new TemplateException(
                "template syntax: malformed escape in string: digits=" + digits);
    }
}
