package io.cortado.bench.conformance;

import java.util.ArrayList;
import java.util.List;

/** Comma-separated values as RFC 4180 has them: quoted fields hold commas, quotes and lines. */
final class CsvTable {
    private CsvTable() {}

    /** The rows of a text, the header first. */
    static List<List<String>> parse(String text) {
        var rows = new ArrayList<List<String>>();
        var row = new ArrayList<String>();
        var field = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quoted) {
                if (c != '"') {
                    field.append(c);
                } else if (i + 1 < text.length() && text.charAt(i + 1) == '"') {
                    field.append('"');
                    i++;
                } else {
                    quoted = false;
                }
            } else if (c == '"') {
                quoted = true;
            } else if (c == ',' || c == '\n') {
                row.add(withoutReturn(field, c));
                field.setLength(0);
                if (c == '\n') {
                    rows.add(List.copyOf(row));
                    row.clear();
                }
            } else {
                field.append(c);
            }
        }
        if (!row.isEmpty() || !field.isEmpty()) {
            row.add(field.toString());
            rows.add(List.copyOf(row));
        }
        return rows;
    }

    /** Lines may end in CR LF. */
    private static String withoutReturn(StringBuilder field, char terminator) {
        int n = field.length();
        return terminator == '\n' && n > 0 && field.charAt(n - 1) == '\r'
                ? field.substring(0, n - 1)
                : field.toString();
    }
}
