package io.cortado.bench.conformance;

import java.math.BigDecimal;
import tools.jackson.databind.JsonNode;

/**
 * JSON as Python's {@code json.dumps} writes it, which is how the suites' instances are written.
 */
final class PythonJson {
    private static final int MIN_PLAIN_EXPONENT = -4;
    private static final int MAX_PLAIN_EXPONENT = 15;

    private PythonJson() {}

    static String dumps(JsonNode node) {
        var out = new StringBuilder();
        write(node, out);
        return out.toString();
    }

    private static void write(JsonNode node, StringBuilder out) {
        switch (node.getNodeType()) {
            case OBJECT -> {
                String separator = "{";
                for (var member : node.properties()) {
                    out.append(separator);
                    string(member.getKey(), out);
                    out.append(": ");
                    write(member.getValue(), out);
                    separator = ", ";
                }
                out.append(node.isEmpty() ? "{}" : "}");
            }
            case ARRAY -> {
                String separator = "[";
                for (JsonNode item : node) {
                    out.append(separator);
                    write(item, out);
                    separator = ", ";
                }
                out.append(node.isEmpty() ? "[]" : "]");
            }
            case STRING -> string(node.stringValue(), out);
            case NUMBER -> out.append(node.isIntegralNumber() ? node.toString() : number(node));
            case BOOLEAN, NULL, BINARY, MISSING, POJO -> out.append(node);
        }
    }

    private static void string(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            int escape = "\"\\\b\f\n\r\t".indexOf(c);
            if (escape >= 0) {
                out.append('\\').append("\"\\bfnrt".charAt(escape));
            } else if (c < ' ' || c > '~' && c != 0x7F) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }

    /** The shortest digits that give the double back, with an exponent where Python has one. */
    private static String number(JsonNode node) {
        double value = node.doubleValue();
        if (Double.isInfinite(value)) {
            return value > 0 ? "Infinity" : "-Infinity";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal digits = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = digits.precision() - digits.scale() - 1;
        if (exponent >= MIN_PLAIN_EXPONENT && exponent <= MAX_PLAIN_EXPONENT) {
            String plain = digits.toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String mantissa = digits.scaleByPowerOfTen(-exponent).toPlainString();
        return mantissa
                + (exponent < 0 ? "e-" : "e+")
                + (Math.abs(exponent) < 10 ? "0" : "")
                + Math.abs(exponent);
    }
}
