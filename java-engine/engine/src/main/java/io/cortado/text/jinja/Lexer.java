package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Cuts a template into text and the tokens of its tags, and settles white space around tags. */
final class Lexer {
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%\\}");
    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*([-+]?)%\\}");
    private static final List<String> OPERATORS =
            List.of(
                    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(",
                    ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";");
    private static final Pattern NUMBER =
            Pattern.compile(
                    "(?<float>\\d+(?:_\\d+)*(?:\\.\\d+(?:_\\d+)*[eE][+-]?\\d+|\\.\\d+(?:_\\d+)*|[eE][+-]?\\d+))"
                            + "|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\\d+(?:_\\d+)*");

    private final String source;
    private final TemplateOptions options;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private boolean lineStarting = true;

    Lexer(String source, TemplateOptions options) {
        String lines = source.replace("\r\n", "\n").replace('\r', '\n');
        boolean drop = !options.keepTrailingNewline() && lines.endsWith("\n");
        this.source = drop ? lines.substring(0, lines.length() - 1) : lines;
        this.options = options;
    }

    List<Token> tokenize() {
        while (at < source.length()) {
            int tag = nextTag();
            if (tag < 0) {
                data(source.substring(at));
                at = source.length();
                break;
            }
            data(textBefore(tag));
            advance(tag);
            tag();
        }
        add(Token.Kind.END, "");
        return tokens;
    }

    private int nextTag() {
        for (int i = source.indexOf('{', at);
                i >= 0 && i + 1 < source.length();
                i = source.indexOf('{', i + 1)) {
            char c = source.charAt(i + 1);
            if (c == '{' || c == '%' || c == '#') {
                return i;
            }
        }
        return -1;
    }

    /** The text up to a tag, without what the tag's sign or lstrip_blocks takes from its end. */
    private String textBefore(int tag) {
        String text = source.substring(at, tag);
        char sign = charAt(tag + 2);
        if (sign == '-') {
            return stripEnd(text);
        }
        if (sign != '+' && options.lstripBlocks() && source.charAt(tag + 1) != '{') {
            int lineStart = text.lastIndexOf('\n') + 1;
            if ((lineStart > 0 || lineStarting)
                    && text.substring(lineStart).chars().allMatch(Strings::isSpace)) {
                return text.substring(0, lineStart);
            }
        }
        return text;
    }

    private void tag() {
        char kind = source.charAt(at + 1);
        if (kind == '#') {
            int end = source.indexOf("#}", at + 2);
            if (end < 0) {
                throw error("Missing end of comment tag");
            }
            boolean minus = end > at + 2 && source.charAt(end - 1) == '-';
            boolean plus = end > at + 2 && source.charAt(end - 1) == '+';
            afterTag(end + 2, minus, options.trimBlocks() && !plus);
            return;
        }
        Matcher raw = RAW.matcher(source).region(at, source.length());
        if (kind == '%' && raw.lookingAt()) {
            raw(raw);
            return;
        }
        add(kind == '{' ? Token.Kind.VARIABLE_BEGIN : Token.Kind.BLOCK_BEGIN, "");
        advance(at + 2);
        if (charAt(at) == '-' || charAt(at) == '+') {
            advance(at + 1);
        }
        inside(kind == '{' ? "}}" : "%}");
    }

    private void raw(Matcher begin) {
        afterTag(
                begin.end(),
                "-".equals(begin.group(1)),
                options.trimBlocks() && !"+".equals(begin.group(1)));
        Matcher end = END_RAW.matcher(source);
        if (!end.find(at)) {
            throw error("Missing end of raw directive");
        }
        data(textBefore(end.start()));
        afterTag(
                end.end(),
                "-".equals(end.group(2)),
                options.trimBlocks() && !"+".equals(end.group(2)));
    }

    /** Goes on after a tag that ends at {@code end}. */
    private void afterTag(int end, boolean stripAll, boolean trimNewline) {
        int to = end;
        if (stripAll) {
            while (to < source.length() && Strings.isSpace(source.charAt(to))) {
                to++;
            }
        } else if (trimNewline && to < source.length() && source.charAt(to) == '\n') {
            to++;
        }
        lineStarting = to > 0 && source.charAt(to - 1) == '\n';
        advance(to);
    }

    private void inside(String close) {
        boolean isBlock = close.equals("%}");
        var open = new StringBuilder();
        while (true) {
            while (at < source.length() && Strings.isSpace(source.charAt(at))) {
                advance(at + 1);
            }
            if (at >= source.length()) {
                throw error("unexpected end of template inside a tag, expected '" + close + "'");
            }
            char c = source.charAt(at);
            boolean signed =
                    (c == '-' || (c == '+' && isBlock)) && source.startsWith(close, at + 1);
            if (open.isEmpty() && (signed || source.startsWith(close, at))) {
                add(isBlock ? Token.Kind.BLOCK_END : Token.Kind.VARIABLE_END, "");
                afterTag(
                        at + (signed ? 3 : 2),
                        signed && c == '-',
                        isBlock && options.trimBlocks() && !signed);
                return;
            }
            token(c, open);
        }
    }

    private void token(char c, StringBuilder open) {
        if (Character.isUnicodeIdentifierStart(c) || c == '_') {
            int end = at + 1;
            while (end < source.length()
                    && (Character.isUnicodeIdentifierPart(source.charAt(end))
                            || source.charAt(end) == '_')) {
                end++;
            }
            take(Token.Kind.NAME, end);
        } else if (c >= '0' && c <= '9') {
            Matcher number = NUMBER.matcher(source).region(at, source.length());
            if (!number.lookingAt()) {
                throw error("malformed number");
            }
            if (number.group("float") != null && at > 0 && source.charAt(at - 1) == '.') {
                // a.0.1 is an item of an item.
                int end = at;
                while (end < source.length() && Character.isDigit(source.charAt(end))) {
                    end++;
                }
                take(Token.Kind.INTEGER, end);
            } else {
                take(
                        number.group("float") != null ? Token.Kind.FLOAT : Token.Kind.INTEGER,
                        number.end());
            }
        } else if (c == '"' || c == '\'') {
            string(c);
        } else {
            operator(c, open);
        }
    }

    private void string(char quote) {
        int end = at + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw error("unexpected end of string");
        }
        add(Token.Kind.STRING, Strings.unescape(source.substring(at + 1, end)));
        advance(end + 1);
    }

    private void operator(char c, StringBuilder open) {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                if ("([{".indexOf(c) >= 0) {
                    open.append(c == '(' ? ')' : c == '[' ? ']' : '}');
                } else if (")]}".indexOf(c) >= 0) {
                    if (open.isEmpty() || open.charAt(open.length() - 1) != c) {
                        throw error("unexpected '" + c + "'");
                    }
                    open.setLength(open.length() - 1);
                }
                take(Token.Kind.OPERATOR, at + operator.length());
                return;
            }
        }
        throw error("unexpected char '" + c + "'");
    }

    private void take(Token.Kind kind, int end) {
        add(kind, source.substring(at, end));
        advance(end);
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            add(Token.Kind.DATA, text);
        }
    }

    private void add(Token.Kind kind, String text) {
        tokens.add(new Token(kind, text, line));
    }

    private void advance(int to) {
        for (int i = at; i < to; i++) {
            if (source.charAt(i) == '\n') {
                line++;
            }
        }
        at = to;
    }

    private char charAt(int i) {
        return i < source.length() ? source.charAt(i) : 0;
    }

    private static String stripEnd(String text) {
        int end = text.length();
        while (end > 0 && Strings.isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }

    private TemplateException error(String message) {
        return new TemplateException("template syntax: " + message).atLine(line);
    }
}
