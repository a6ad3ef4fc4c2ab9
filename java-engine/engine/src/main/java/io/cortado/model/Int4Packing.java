package io.cortado.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.LongStream;

/**
 * Brings published packings of four-bit codes into the order [rows][cols], two codes a byte, the
 * even column in the low nibble; zeros and scales into [rows][groups]. A published word is a
 * little-endian int32 of eight codes.
 */
final class Int4Packing {
    private static final ValueLayout.OfInt WORD =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT;

    /** Which of its eight columns AutoAWQ has put into a word's nibble (utils/packing_utils.py). */
    private static final int[] AWQ_COLUMN = {0, 2, 4, 6, 1, 3, 5, 7};

    private Int4Packing() {}

    static int word(MemorySegment data, long index) {
        return data.get(WORD, index * 4);
    }

    /** [cols / 8][rows] words, each of eight consecutive columns. */
    static void transposeWords(MemorySegment out, MemorySegment words, long rows, long cols) {
        long perRow = cols / 8;
        LongStream.range(0, rows)
                .parallel()
                .forEach(row -> {
                    for (long i = 0; i < perRow; i++) {
                        out.set(WORD, (row * perRow + i) * 4, word(words, i * rows + row));
                    }
                });
    }

    /** [cols][rows / 8] words, each of eight interleaved rows. */
    static void awqCodes(MemorySegment out, MemorySegment words, long rows, long cols) {
        LongStream.range(0, rows / 8)
                .parallel()
                .forEach(eight -> awqEightRows(out, words, eight, rows, cols));
    }

    private static void awqEightRows(
            MemorySegment out, MemorySegment words, long eight, long rows, long cols) {
        for (int nibble = 0; nibble < 8; nibble++) {
            long row = eight * 8 + AWQ_COLUMN[nibble];
            for (long col = 0; col < cols; col += 8) {
                int packed = 0;
                for (int i = 0; i < 8; i++) {
                    int word = word(words, (col + i) * (rows / 8) + eight);
                    packed |= (word >>> 4 * nibble & 15) << 4 * i;
                }
                out.set(WORD, (row * cols + col) / 2, packed);
            }
        }
    }

    static void awqZeros(MemorySegment out, MemorySegment words, long rows, long groups) {
        for (long group = 0; group < groups; group++) {
            for (long eight = 0; eight < rows / 8; eight++) {
                int word = word(words, group * (rows / 8) + eight);
                for (int nibble = 0; nibble < 8; nibble++) {
                    long row = eight * 8 + AWQ_COLUMN[nibble];
                    put(out, row * groups + group, word >>> 4 * nibble & 15);
                }
            }
        }
    }

    /** [groups][rows / 8] words. Returns the largest zero. */
    static int gptqZeros(
            MemorySegment out, MemorySegment words, long rows, long groups, int offset) {
        int largest = 0;
        for (long group = 0; group < groups; group++) {
            for (long row = 0; row < rows; row++) {
                int word = word(words, group * (rows / 8) + row / 8);
                int zero = (word >>> 4 * (int) (row % 8) & 15) + offset;
                largest = Math.max(largest, zero);
                put(out, row * groups + group, zero);
            }
        }
        return largest;
    }

    /** [rows / 8][groups] words. */
    static void compressedZeros(MemorySegment out, MemorySegment words, long rows, long groups) {
        for (long row = 0; row < rows; row++) {
            for (long group = 0; group < groups; group++) {
                int word = word(words, row / 8 * groups + group);
                put(out, row * groups + group, word >>> 4 * (int) (row % 8) & 15);
            }
        }
    }

    private static void put(MemorySegment out, long index, int value) {
        out.set(ValueLayout.JAVA_BYTE, index, (byte) value);
    }

    /** [groups][rows]. */
    static void transposeScales(MemorySegment out, Tensor scales, long rows, long groups) {
        for (long row = 0; row < rows; row++) {
            for (long group = 0; group < groups; group++) {
                out.setAtIndex(F32, row * groups + group, scales.element(group * rows + row));
            }
        }
    }

    /** The numbers themselves, where columns of a group do not lie together. */
    static void values(
            MemorySegment out,
            MemorySegment packed,
            MemorySegment scales,
            MemorySegment zeros,
            int[] groupOf,
            long rows) {
        long cols = groupOf.length;
        long groups = scales.byteSize() / 4 / rows;
        LongStream.range(0, rows)
                .parallel()
                .forEach(row -> {
                    for (int col = 0; col < cols; col++) {
                        long at = row * cols + col;
                        int two = packed.get(ValueLayout.JAVA_BYTE, at / 2);
                        int code = two >>> 4 * (int) (at & 1) & 15;
                        long grid = row * groups + groupOf[col];
                        int zero = zeros.get(ValueLayout.JAVA_BYTE, grid);
                        out.setAtIndex(F32, at, (code - zero) * scales.getAtIndex(F32, grid));
                    }
                });
    }
}
