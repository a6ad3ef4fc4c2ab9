package io.cortado.text;

/** What a model makes of one word: ids, and which of the word's UTF-8 bytes each stands for. */
final class WordTokens {
    private final IntList ids = new IntList();
    private final IntList starts = new IntList();
    private final IntList ends = new IntList();
    private int cursor;

    /** The next token, which stands for the bytes that follow those of the last one. */
    void add(int id, int bytes) {
        add(id, cursor, cursor + bytes);
        cursor += bytes;
    }

    /** A token of its own place; the next one still follows the last that had none. */
    void add(int id, int startByte, int endByte) {
        ids.add(id);
        starts.add(startByte);
        ends.add(endByte);
    }

    /** Leaves bytes out that tokens of their own place stand for. */
    void skip(int bytes) {
        cursor += bytes;
    }

    int size() {
        return ids.size();
    }

    int id(int index) {
        return ids.at(index);
    }

    int startByte(int index) {
        return starts.at(index);
    }

    int endByte(int index) {
        return ends.at(index);
    }

    int[] ids() {
        return ids.toArray();
    }
}
