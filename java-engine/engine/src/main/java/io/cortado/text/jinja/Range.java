package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** Python's range: numbers that are no list until they are read. */
record Range(long start, long stop, long step, int length) {
    static Range of(long start, long stop, long step, Budget budget) {
        if (step == 0) {
            throw new TemplateException("range() arg 3 must not be zero");
        }
        double count = Math.max(0, Math.ceil(((double) stop - start) / step));
        budget.list((long) count);
        return new Range(start, stop, step, (int) count);
    }

    long get(long index) {
        return start + index * step;
    }

    List<Object> items() {
        var items = new ArrayList<Object>(length);
        for (int i = 0; i < length; i++) {
            items.add(get(i));
        }
        return items;
    }

    boolean isSameSequence(Range other) {
        return length == other.length
                && (length == 0 || start == other.start)
                && (length < 2 || step == other.step);
    }

    @Override
    public String toString() {
        return "range(" + start + ", " + stop + (step == 1 ? "" : ", " + step) + ")";
    }
}
