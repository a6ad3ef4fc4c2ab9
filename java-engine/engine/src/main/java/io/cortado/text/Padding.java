package io.cortado.text;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What the file fills short rows up with.
 *
 * @param length to how many ids, or null for those of the row
 * @param multiple to a multiple of how many ids
 * @param onLeft whether the padding stands before the row
 */
record Padding(@Nullable Integer length, int multiple, boolean onLeft, int id, int typeId) {
    Encoding apply(Encoding row) {
        int n = row.ids().length;
        int target = length == null ? n : length;
        int missing = (target + multiple - 1) / multiple * multiple - n;
        if (missing <= 0) {
            return row;
        }
        return new Encoding(
                filled(row.ids(), missing, id),
                filled(row.typeIds(), missing, typeId),
                filled(row.attentionMask(), missing, 0),
                filled(row.offsets(), 2 * missing, 0));
    }

    private int[] filled(int[] row, int missing, int value) {
        var filled = new int[row.length + missing];
        Arrays.fill(filled, value);
        System.arraycopy(row, 0, filled, onLeft ? missing : 0, row.length);
        return filled;
    }
}
