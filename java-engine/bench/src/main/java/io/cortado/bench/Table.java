package io.cortado.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Columns of text: the first flush left, the others flush right. */
public final class Table {
    private final List<String[]> rows = new ArrayList<>();
    private final int columns;

    public Table(String... header) {
        columns = header.length;
        rows.add(header);
    }

    public Table row(String... cells) {
        if (cells.length != columns) {
            throw new IllegalArgumentException(
                    "a row has as many cells as the header: columns="
                            + columns
                            + " cells="
                            + cells.length);
        }
        rows.add(cells);
        return this;
    }

    public void print(PrintStream out) {
        int[] widths = new int[columns];
        for (String[] row : rows) {
            for (int c = 0; c < columns; c++) {
                widths[c] = Math.max(widths[c], row[c].length());
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < columns; c++) {
                String space = " ".repeat(widths[c] - row[c].length());
                line.append(c == 0 ? row[c] + space : "  " + space + row[c]);
            }
            out.println(line.toString().stripTrailing());
        }
    }
}
