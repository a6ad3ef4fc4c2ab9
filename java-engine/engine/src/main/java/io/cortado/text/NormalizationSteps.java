package io.cortado.text;

import java.text.Normalizer;
import java.text.Normalizer.Form;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A Unicode normalization character by character: the JDK says what the text becomes, this says
 * what became of each character. What comes apart is put in besides, what composes takes the places
 * of several. For offsets only: {@link UnicodeForm} is the quick way to the text.
 */
final class NormalizationSteps {
    /** One mark of each combining class of Unicode 9, in the order of the classes. */
    private static final int[] MARK_OF_CLASS = {
        0x334, 0x93C, 0x3099, 0x94D, 0x5B0, 0x5B1, 0x5B2, 0x5B3, 0x5B4, 0x5B5, 0x5B6, 0x5B7, 0x5B8,
        0x5B9, 0x5BB, 0x5BC, 0x5BD, 0x5BF, 0x5C1, 0x5C2, 0xFB1E, 0x64B, 0x64C, 0x64D, 0x618, 0x619,
        0x61A, 0x651, 0x652, 0x670, 0x711, 0xC55, 0xC56, 0xE38, 0xE48, 0xEB8, 0xEC8, 0xF71, 0xF72,
        0xF74, 0x321, 0x1DCE, 0x31B, 0x302A, 0x316, 0x59A, 0x302E, 0x1D16D, 0x5AE, 0x300, 0x315,
        0x35C, 0x35D, 0x345
    };

    private final Form form;
    private final Map<Integer, Integer> classes = new HashMap<>();
    private final IntList codePoints = new IntList();
    private final IntList changes = new IntList();

    private NormalizationSteps(Form form) {
        this.form = form;
    }

    static Rewrite of(String text, Form form) {
        var steps = new NormalizationSteps(form);
        text.codePoints().forEach(steps::takeApart);
        steps.order();
        var out = new Rewrite();
        if (form == Form.NFC || form == Form.NFKC) {
            steps.compose(out);
        } else {
            for (int i = 0; i < steps.codePoints.size(); i++) {
                out.put(steps.codePoints.at(i), steps.changes.at(i));
            }
        }
        return out;
    }

    private void takeApart(int c) {
        Form apart = form == Form.NFC || form == Form.NFD ? Form.NFD : Form.NFKD;
        String parts = Character.toString(c);
        if (c >= 0xA0 && !Unicode9.isYounger(c)) {
            parts = Normalizer.normalize(parts, apart);
        }
        for (int i = 0; i < parts.length(); i = parts.offsetByCodePoints(i, 1)) {
            codePoints.add(parts.codePointAt(i));
            changes.add(i > 0 ? 1 : 0);
        }
    }

    /** Puts each run of marks into the order of their classes; marks of one class stay in turn. */
    private void order() {
        for (int from = 0; from < codePoints.size(); from++) {
            int to = from;
            while (to < codePoints.size() && combiningClass(codePoints.at(to)) > 0) {
                to++;
            }
            if (to - from > 1) {
                int[] sorted =
                        IntStream.range(from, to)
                                .boxed()
                                .sorted(
                                        Comparator.comparingInt(
                                                i -> combiningClass(codePoints.at(i))))
                                .flatMapToInt(i -> IntStream.of(codePoints.at(i), changes.at(i)))
                                .toArray();
                for (int i = from; i < to; i++) {
                    codePoints.set(i, sorted[2 * (i - from)]);
                    changes.set(i, sorted[2 * (i - from) + 1]);
                }
            }
            from = Math.max(from, to - 1);
        }
    }

    /** Joins each starter with the marks after it that no other mark of their class blocks. */
    private void compose(Rewrite out) {
        int n = codePoints.size();
        for (int i = 0; i < n; ) {
            int starter = codePoints.at(i);
            int change = changes.at(i++);
            if (combiningClass(starter) > 0) {
                out.put(starter, change);
                continue;
            }
            int lastClass = -1;
            var waiting = new IntList();
            while (i < n) {
                int mark = codePoints.at(i);
                int markClass = combiningClass(mark);
                int composed = lastClass < markClass ? composed(starter, mark) : -1;
                if (composed >= 0) {
                    starter = composed;
                    change += changes.at(i) - 1;
                } else if (markClass == 0) {
                    break;
                } else {
                    waiting.add(i);
                    lastClass = markClass;
                }
                i++;
            }
            out.put(starter, change);
            for (int k = 0; k < waiting.size(); k++) {
                out.put(codePoints.at(waiting.at(k)), changes.at(waiting.at(k)));
            }
        }
    }

    private static int composed(int starter, int mark) {
        if (mark < 0x300 || Unicode9.isYounger(starter) || Unicode9.isYounger(mark)) {
            return -1;
        }
        String pair = Character.toString(starter) + Character.toString(mark);
        String composed = Normalizer.normalize(pair, Form.NFC);
        int first = composed.codePointAt(0);
        return composed.length() == Character.charCount(first) && !Unicode9.isYounger(first)
                ? first
                : -1;
    }

    /** 0 for what is no mark, otherwise the place of its class among the classes. */
    private int combiningClass(int c) {
        return c < 0x300 || Unicode9.isYounger(c)
                ? 0
                : classes.computeIfAbsent(c, NormalizationSteps::findClass);
    }

    /** By trying which marks the JDK moves before or behind the character. */
    private static int findClass(int c) {
        int last = MARK_OF_CLASS[MARK_OF_CLASS.length - 1];
        if (!changePlaces(c, MARK_OF_CLASS[0]) && !changePlaces(last, c)) {
            return 0;
        }
        int low = 0;
        int high = MARK_OF_CLASS.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (changePlaces(c, MARK_OF_CLASS[middle])) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low + 1;
    }

    private static boolean changePlaces(int first, int second) {
        String pair = Character.toString(first) + Character.toString(second);
        return !Normalizer.isNormalized(pair, Form.NFD);
    }
}
