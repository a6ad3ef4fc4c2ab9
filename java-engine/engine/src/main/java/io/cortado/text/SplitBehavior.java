package io.cortado.text;

import java.util.ArrayList;
import java.util.List;

/** What becomes of the matches of a split and of the text between them. */
enum SplitBehavior {
    REMOVED,
    ISOLATED,
    MERGED_WITH_PREVIOUS,
    MERGED_WITH_NEXT,
    CONTIGUOUS;

    /** A stretch of the text: a match of the pattern, or what lies between two. */
    record Span(int start, int end, boolean isMatch) {}

    /** The pieces that are left of {@code spans}, which cover a whole text. */
    List<Span> arrange(List<Span> spans) {
        return switch (this) {
            case REMOVED -> spans.stream().filter(span -> !span.isMatch).toList();
            case ISOLATED -> spans;
            case MERGED_WITH_PREVIOUS -> mergeIntoPrevious(spans);
            case MERGED_WITH_NEXT -> mergeIntoNext(spans);
            case CONTIGUOUS -> mergeAlike(spans);
        };
    }

    private static List<Span> mergeIntoPrevious(List<Span> spans) {
        var merged = new ArrayList<Span>();
        boolean previousMatch = false;
        for (Span span : spans) {
            if (span.isMatch && !previousMatch && !merged.isEmpty()) {
                merged.add(new Span(merged.removeLast().start, span.end, false));
            } else {
                merged.add(span);
            }
            previousMatch = span.isMatch;
        }
        return merged;
    }

    private static List<Span> mergeIntoNext(List<Span> spans) {
        var merged = new ArrayList<Span>();
        boolean previousMatch = false;
        for (Span span : spans.reversed()) {
            if (span.isMatch && !previousMatch && !merged.isEmpty()) {
                merged.add(new Span(span.start, merged.removeLast().end, false));
            } else {
                merged.add(span);
            }
            previousMatch = span.isMatch;
        }
        return merged.reversed();
    }

    private static List<Span> mergeAlike(List<Span> spans) {
        var merged = new ArrayList<Span>();
        for (Span span : spans) {
            if (!merged.isEmpty() && merged.getLast().isMatch == span.isMatch) {
                merged.add(new Span(merged.removeLast().start, span.end, span.isMatch));
            } else {
                merged.add(span);
            }
        }
        return merged;
    }
}
